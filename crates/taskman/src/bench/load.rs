//! Closed-loop load: so many senders, each of which sends its next request when the last is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::sender::Sender;

/// The longest that a run takes, however many requests are left.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest that one request is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// How much load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many requests are under way at once.
    pub concurrency: usize,
    /// How many there are altogether; fewer are sent where they take more than half a minute.
    pub requests: usize,
}

impl Plan {
    /// Returns the plan of the requests that go before and are not counted: connections open, caches fill.
    fn warm_up(self) -> Self {
        Self { requests: (self.requests / 10).max(self.concurrency), ..self }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// How long each request took that succeeded, shortest first.
    latencies: Vec<Duration>,
    /// How long the run took.
    took: Duration,
    /// How many requests failed.
    pub failed: usize,
    /// Why one of them did.
    pub failure: Option<String>,
}

impl Measured {
    /// Returns how many requests succeeded.
    pub fn succeeded(&self) -> usize {
        self.latencies.len()
    }

    /// Returns how many requests succeeded each second.
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer requests than that")]
    pub fn per_second(&self) -> f64 {
        if self.took.is_zero() { 0.0 } else { self.latencies.len() as f64 / self.took.as_secs_f64() }
    }

    /// Returns the time within which `percent` of a hundred requests were answered.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Adds what came of another run of the same.
    pub fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.took += other.took;
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
    }
}

/// Warms up and then measures.
pub async fn run(sender: &Sender, plan: Plan) -> Measured {
    send(sender, plan.warm_up()).await;
    send(sender, plan).await
}

async fn send(sender: &Sender, plan: Plan) -> Measured {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    let started = Instant::now();
    for _ in 0..plan.concurrency {
        senders.spawn(send_in_turn(sender.clone(), Arc::clone(&next), plan.requests, started));
    }
    let ended = senders.join_all().await;
    let took = started.elapsed();
    let mut measured = Measured::default();
    for own in ended {
        measured.latencies.extend(own.latencies);
        measured.failed += own.failed;
        measured.failure = measured.failure.take().or(own.failure);
    }
    measured.latencies.sort_unstable();
    measured.took = took;
    measured
}

/// Sends one request after the other as long as there are any left.
async fn send_in_turn(mut sender: Sender, next: Arc<AtomicUsize>, requests: usize, started: Instant) -> Measured {
    let mut measured = Measured::default();
    while started.elapsed() < LONGEST {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        if turn >= requests {
            break;
        }
        let sent = Instant::now();
        let failure = match tokio::time::timeout(PATIENCE, sender.send(turn)).await {
            Ok(Ok(())) => {
                measured.latencies.push(sent.elapsed());
                continue;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        measured.failed += 1;
        measured.failure = Some(failure);
    }
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(milliseconds: impl IntoIterator<Item = u64>, took: u64) -> Measured {
        let latencies = milliseconds.into_iter().map(Duration::from_millis).collect();
        Measured { latencies, took: Duration::from_millis(took), ..Measured::default() }
    }

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let run = measured(1..=200, 1_000);
        assert_eq!((run.percentile(50).as_millis(), run.percentile(99).as_millis()), (100, 198));
        assert_eq!(measured([7], 1_000).percentile(99).as_millis(), 7);
        assert_eq!(measured([], 1_000).percentile(99), Duration::ZERO);
    }

    #[test]
    fn the_rate_of_two_runs_is_over_both_times() {
        let mut run = measured([5, 9], 1_000);
        run.add(measured([1, 2, 3, 4], 2_000));
        assert!((run.per_second() - 2.0).abs() < 1e-9);
        assert_eq!((run.percentile(1).as_millis(), run.percentile(100).as_millis()), (1, 9));
    }
}
