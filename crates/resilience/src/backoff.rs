//! The pauses between attempts of something that is tried until it works.

use std::time::Duration;

/// Yields pauses that double from a least to a greatest one, each shortened at random by up to half; it never ends.
///
/// The jitter keeps the replicas of a service from reconnecting in step after they have lost the same peer.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `min`; no pause is longer than `max` or shorter than half of `min`.
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.min(max);
        Self { min, max, next: min }
    }

    /// Starts again at the least pause; to be called when an attempt has succeeded.
    pub fn reset(&mut self) {
        self.next = self.min;
    }

    /// Returns the next pause.
    pub fn pause(&mut self) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(2).min(self.max);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Sleeps for the next pause; dropping the future ends the sleep.
    pub async fn sleep(&mut self) {
        tokio::time::sleep(self.pause()).await;
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.pause())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIN: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_greatest() {
        let fulls = [100, 200, 400, 800, 1_000, 1_000].map(Duration::from_millis);
        for (pause, full) in Backoff::new(MIN, MAX).zip(fulls) {
            assert!(pause >= full / 2 && pause <= full, "{pause:?} is not within half of {full:?}");
        }
    }

    #[test]
    fn a_reset_starts_again_at_the_least() {
        let mut backoff = Backoff::new(MIN, MAX);
        assert!(backoff.by_ref().take(5).max() > Some(MIN));
        backoff.reset();
        assert!(backoff.pause() <= MIN);
    }

    proptest! {
        #[test]
        fn no_pause_leaves_the_bounds(min in 0_u64..10_000, max in 0_u64..10_000, count in 1_usize..80) {
            let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
            for pause in Backoff::new(min, max).take(count) {
                prop_assert!(pause <= max && pause >= min.min(max) / 2);
            }
        }
    }
}
