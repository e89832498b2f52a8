//! The notification service as people and events use it: real PostgreSQL and RabbitMQ, a mail server that keeps what it gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod addresses;
mod events;
mod fakes;
mod fixture;
mod histories;
mod requests;
mod senders;
mod setbacks;
