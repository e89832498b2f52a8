//! The authorization service through its RPCs, on real servers, with streams that the tests drive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod attributes;
mod checks;
mod decisions;
mod denials;
mod fakes;
mod feed;
mod freshness;
mod own_calls;
mod restarts;
mod subjects;
mod world;
