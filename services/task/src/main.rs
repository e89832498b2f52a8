//! The binary `task-service`.

fn main() {}
