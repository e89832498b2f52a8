//! The whole fleet in one process, and the operator's tools.
//!
//! [`fleet`] starts the eight services, or some of them, in this process: `taskman up` and the tests that cross services
//! do. Calls between them are real gRPC on loopback.

pub mod bench;
pub mod command;
pub mod fleet;
pub mod keys;
pub mod story;
