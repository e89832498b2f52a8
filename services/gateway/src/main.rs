//! The binary `gateway-service`.

fn main() {}
