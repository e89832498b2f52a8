//! What crosses services: the story, faults, attacks, traces; and the rules of the house.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod attacks;
mod broker_flow;
mod dependencies_flow;
mod discovery;
mod fleet;
mod house;
mod processes_flow;
mod story_flow;
mod traces;
