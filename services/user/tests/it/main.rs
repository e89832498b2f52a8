//! The user service through its RPCs, on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod changes;
mod companies;
mod fakes;
mod users;
