//! The binary `authorization-service`.

fn main() {}
