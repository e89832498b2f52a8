//! The binary `user-service`.

fn main() {}
