//! The audit service as others see it: real PostgreSQL, Redis and RabbitMQ, real gRPC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod days;
mod events;
mod fixture;
mod persons;
mod questions;
mod records;
