//! A wall clock that a test can move forward, so that tokens expire while it watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use taskman_clock::{Clock, SystemClock};

/// The machine's clock, and how far ahead of it this one is. Clones share that.
#[derive(Debug, Clone, Default)]
pub(super) struct ShiftedClock {
    ahead_ms: Arc<AtomicI64>,
}

impl ShiftedClock {
    /// Moves the clock forward.
    pub(super) fn advance(&self, delta: TimeDelta) {
        self.ahead_ms.fetch_add(delta.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.ahead_ms.load(Ordering::SeqCst))
    }
}
