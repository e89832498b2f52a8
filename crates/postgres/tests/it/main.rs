//! Tests on a real PostgreSQL: `devstack exec --profile test -- cargo test -p taskman-postgres`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod databases;
mod errors;
mod idempotency;
mod migrations;
mod time_series;
mod transactions;
