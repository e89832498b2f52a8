//! Messaging against a real RabbitMQ and a real PostgreSQL.
//!
//! Run it as `devstack exec -- cargo test -p taskman-messaging`: each test has a database and a vhost of its own there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod consumer;
mod crash;
mod dead_letters;
mod handlers;
mod relay;
mod stage;
