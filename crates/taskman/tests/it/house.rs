//! The rules of the house, held by reading the tree and `cargo metadata`.
