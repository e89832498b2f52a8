//! The binary `iam-admin-service`.

fn main() {}
