//! The gateway on a real port in front of a user service on a real port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod connections;
mod grpc_calls;
mod rest_calls;
mod world;
