//! What crosses services: the story, faults, attacks, traces; and the rules of the house.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod house;
