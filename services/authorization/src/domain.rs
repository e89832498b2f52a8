//! The types and rules behind decisions, beyond what the policy crate decides itself.

pub mod change;
pub mod denial;
pub mod position;
pub mod rules;
pub mod staleness;
pub mod subject;
