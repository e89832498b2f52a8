//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod builders;
mod conditions;
mod decisions;
mod hostile_conditions;
mod oracle;
mod patterns;
mod plans;
mod scale;
