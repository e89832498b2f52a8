//! Keeps calls that leave the process bounded: deadlines, circuit breakers, retries within a budget, backoff.
//!
//! - [`Deadline`]: until when an answer is of use; it travels as `grpc-timeout` and every hop takes its share.
//! - [`BreakerLayer`]: the circuit breaker in front of a gRPC channel; [`Gate`]: the same for anything else that is awaited.
//! - [`retry()`]: at most two repetitions, with full jitter, as long as the [`RetryBudget`] allows them.
//! - [`Backoff`]: the pauses of a loop that reconnects for as long as it takes.
//!
//! The states of a circuit and their timing are failsafe's; what counts as a failure and when failures are too many is
//! decided here, because a gRPC failure is an HTTP success and because failsafe lets every call through while half-open.

mod backoff;
mod breaker;
mod circuit;
pub mod deadline;
mod gate;
mod retry;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerLayer};
pub use circuit::{Settings, State};
pub use deadline::Deadline;
pub use gate::{Gate, Rejected};
pub use retry::{RetryBudget, RetryPolicy, Transient, retry};
