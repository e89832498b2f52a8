//! The operator's binary: the whole fleet in one process and the operator's tools.

fn main() {}
