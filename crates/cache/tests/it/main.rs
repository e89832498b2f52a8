//! Tests on a real Redis: `devstack exec --profile test -- cargo test -p taskman-cache`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod outages;
mod reads;
mod replicas;
mod writes;
