//! The binary `authentication-service`.

fn main() {}
