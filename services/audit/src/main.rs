//! The binary `audit-service`.

fn main() {}
