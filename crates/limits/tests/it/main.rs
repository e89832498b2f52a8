//! Tests on a real Redis: `devstack exec --profile test -- cargo test -p taskman-limits`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod counts;
mod limiters;
mod outages;
