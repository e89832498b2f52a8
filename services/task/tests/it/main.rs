//! The task service as its callers see it: real PostgreSQL, Redis and RabbitMQ, real gRPC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod attributes;
mod counts;
mod creations;
mod fixture;
mod lists;
mod projects;
mod repetitions;
mod transitions;
