//! The binary `notification-service`.

fn main() {}
