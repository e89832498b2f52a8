//! How far a stream has been applied, and how long ago that was all there was.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The progress of one stream.
#[derive(Debug)]
pub(crate) struct Progress {
    position: watch::Sender<i64>,
    freshness: Mutex<Freshness>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Freshness {
    /// When a heartbeat came whose head was applied, then or later.
    fresh_at: Option<Instant>,
    /// A heartbeat whose head has not been applied yet.
    awaited: Option<(i64, Instant)>,
}

impl Progress {
    pub(super) fn none() -> Self {
        Self { position: watch::Sender::new(0), freshness: Mutex::default() }
    }

    /// Returns the position that has been applied.
    pub(crate) fn position(&self) -> i64 {
        *self.position.borrow()
    }

    /// Says that everything up to `position` has been applied.
    pub(crate) fn advance(&self, position: i64) {
        self.position.send_if_modified(|applied| std::mem::replace(applied, position) != position);
        let mut freshness = self.freshness();
        if let Some((_, at)) = freshness.awaited.filter(|(head, _)| *head <= position) {
            *freshness = Freshness { fresh_at: Some(at), awaited: None };
        }
    }

    /// Notes a heartbeat; says whether its head has been applied.
    pub(crate) fn heartbeat(&self, head: i64, at: Instant) -> bool {
        let mut freshness = self.freshness();
        let applied = head <= self.position();
        if applied {
            *freshness = Freshness { fresh_at: Some(at), awaited: None };
        } else {
            freshness.awaited.get_or_insert((head, at));
        }
        applied
    }

    /// Says that everything that there was up to `at` has been applied: what a restart knows.
    pub(crate) fn was_fresh(&self, at: Option<Instant>) {
        *self.freshness() = Freshness { fresh_at: at, awaited: None };
    }

    /// Returns how old the facts are; `None` when they have never been complete.
    pub(crate) fn staleness(&self) -> Option<Duration> {
        self.freshness().fresh_at.map(|at| at.elapsed())
    }

    /// Waits until `position` has been applied, at most `patience`; says whether it has.
    pub(crate) async fn reaches(&self, position: i64, patience: Duration) -> bool {
        if self.position() >= position {
            return true;
        }
        let mut applied = self.position.subscribe();
        let reached = applied.wait_for(|applied| *applied >= position);
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    pub(super) fn reset(&self) {
        self.was_fresh(None);
        self.position.send_replace(0);
    }

    fn freshness(&self) -> MutexGuard<'_, Freshness> {
        self.freshness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_fresh_only_once_the_head_is_applied() {
        let progress = Progress::none();
        assert_eq!(progress.staleness(), None);
        let Some(earlier) = Instant::now().checked_sub(Duration::from_millis(500)) else { return };
        assert!(!progress.heartbeat(2, earlier));
        progress.advance(1);
        assert_eq!(progress.staleness(), None);
        progress.advance(2);
        assert!(progress.staleness().unwrap() >= Duration::from_millis(500), "as old as the heartbeat, not younger");
        assert!(progress.heartbeat(2, Instant::now()));
        assert!(progress.staleness().unwrap() < Duration::from_millis(500));
    }

    #[test]
    fn a_newer_heartbeat_does_not_hide_how_long_an_older_one_waits() {
        let progress = Progress::none();
        let Some(earlier) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
        progress.heartbeat(1, earlier);
        progress.heartbeat(2, Instant::now());
        progress.advance(1);
        assert!(progress.staleness().unwrap() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_position_is_waited_for_and_given_up() {
        let progress = Progress::none();
        assert!(!progress.reaches(1, Duration::from_millis(200)).await);
        let (reached, ()) =
            tokio::join!(progress.reaches(3, Duration::from_millis(200)), async { progress.advance(3) });
        assert!(reached);
        progress.reset();
        assert_eq!((progress.position(), progress.staleness()), (0, None));
    }
}
