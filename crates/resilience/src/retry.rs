//! Repeats a call that found nobody there, at most twice and never beyond a tenth of all calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tonic_types::StatusExt as _;
use tower::retry::budget::{Budget as _, TpsBudget};

use crate::deadline;

/// Tells of an error whether the call may be repeated.
pub trait Transient {
    /// Says whether the other side was away and has done nothing.
    fn is_unavailable(&self) -> bool;

    /// Returns how long the other side asked to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

impl Transient for tonic::Status {
    fn is_unavailable(&self) -> bool {
        self.code() == tonic::Code::Unavailable
    }

    fn retry_after(&self) -> Option<Duration> {
        self.get_details_retry_info()?.retry_delay
    }
}

/// How often and after which pauses a call is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// How often the call is repeated at most, after its first attempt.
    pub retries: u32,
    /// The longest pause before the first repetition; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause at all. An error that asks for more is final.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 2, first_pause: Duration::from_millis(50), longest_pause: Duration::from_millis(500) }
    }
}

/// What may be spent on repetitions: a tenth of the calls of the last ten seconds, and one in a second in any case.
///
/// One budget stands for one peer and is shared by everybody who calls it, so that a peer in trouble is not met by a
/// multiple of its usual load.
#[derive(Debug, Clone)]
pub struct RetryBudget(Arc<TpsBudget>);

impl RetryBudget {
    /// Starts a budget.
    pub fn new() -> Self {
        Self(Arc::new(TpsBudget::new(Duration::from_secs(10), 1, 0.1)))
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls `op` until it succeeds, fails for good, or a repetition is not allowed any more; returns the last outcome.
///
/// Only errors that are [`Transient::is_unavailable`] are repeated, only while the policy, the budget and the current
/// [`deadline`] allow it. `op` must be safe to repeat: a read, or a command with an idempotency key. Only the caller
/// nearest to the user retries; a retry at every hop would multiply.
pub async fn retry<T, E, F>(policy: &RetryPolicy, budget: &RetryBudget, mut op: impl FnMut() -> F) -> Result<T, E>
where
    E: Transient,
    F: Future<Output = Result<T, E>>,
{
    budget.0.deposit();
    let mut retries = 0;
    loop {
        let error = match op().await {
            Err(error) if error.is_unavailable() && retries < policy.retries => error,
            last => return last,
        };
        let Some(pause) = pause(policy, retries, &error) else { return Err(error) };
        if !budget.0.withdraw() {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        retries += 1;
    }
}

/// Draws the pause before the next attempt, or none when the attempt could not begin in time.
fn pause(policy: &RetryPolicy, retries: u32, error: &impl Transient) -> Option<Duration> {
    let ceiling = policy.first_pause.saturating_mul(1 << retries.min(16)).min(policy.longest_pause);
    let wanted = error.retry_after().unwrap_or_default();
    if wanted > policy.longest_pause {
        return None;
    }
    let pause = wanted.max(ceiling.mul_f64(rand::random_range(0.0..=1.0)));
    match deadline::current() {
        None => Some(pause),
        Some(deadline) => deadline.for_next_hop().filter(|last| last.remaining() > pause).map(|_| pause),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tonic::Status;
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;
    use crate::Deadline;

    /// Fails `failures` times with `error`, then succeeds; returns the outcome and how often it was called.
    async fn attempts(failures: u32, error: Status, budget: &RetryBudget) -> (Result<(), Status>, u32) {
        let calls = Cell::new(0);
        let outcome = retry(&RetryPolicy::default(), budget, || {
            calls.set(calls.get() + 1);
            let outcome = if calls.get() <= failures { Err(error.clone()) } else { Ok(()) };
            async move { outcome }
        })
        .await;
        (outcome, calls.get())
    }

    #[tokio::test(start_paused = true)]
    async fn an_unavailable_peer_is_asked_at_most_three_times() {
        let budget = RetryBudget::new();
        let (outcome, calls) = attempts(2, Status::unavailable("away"), &budget).await;
        assert!(outcome.is_ok());
        assert_eq!(calls, 3);
        let (outcome, calls) = attempts(9, Status::unavailable("away"), &budget).await;
        assert!(outcome.is_err());
        assert_eq!(calls, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn any_other_error_is_final() {
        for error in
            [Status::internal("x"), Status::deadline_exceeded("x"), Status::aborted("x"), Status::not_found("x")]
        {
            assert_eq!(attempts(1, error, &RetryBudget::new()).await.1, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_budget_ends_the_retries() {
        let budget = RetryBudget::new();
        let mut repeated = 0;
        // Ten seconds' reserve of one in a second, and a tenth of these hundred calls, at paused time.
        for _ in 0..100 {
            budget.0.deposit();
            while budget.0.withdraw() {
                repeated += 1;
            }
        }
        assert_eq!(repeated, 20);
        assert_eq!(attempts(9, Status::unavailable("away"), &budget).await.1, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_that_could_not_begin_in_time_is_not_made() {
        let soon = Deadline::after(Duration::from_millis(5));
        let (outcome, calls) =
            deadline::scope(soon, attempts(1, Status::unavailable("away"), &RetryBudget::new())).await;
        assert!(outcome.is_err());
        assert_eq!(calls, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wish_of_the_peer_is_respected() {
        let asks = |delay| {
            let details = ErrorDetails::with_retry_info(Some(delay));
            Status::with_error_details(tonic::Code::Unavailable, "open", details)
        };
        let started = tokio::time::Instant::now();
        assert_eq!(attempts(1, asks(Duration::from_millis(400)), &RetryBudget::new()).await.1, 2);
        assert!(started.elapsed() >= Duration::from_millis(400));
        assert_eq!(attempts(1, asks(Duration::from_secs(5)), &RetryBudget::new()).await.1, 1);
    }
}
