//! What only the authorization service has to be told.

use std::time::Duration;

use serde::Deserialize;

use crate::domain::staleness::Bounds;

/// The configuration of the authorization service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How old the facts may be for a decision about an `iam:` action, in milliseconds.
    pub stale_after_iam_ms: u64,
    /// How old the facts may be for a decision about any other change, in milliseconds.
    pub stale_after_change_ms: u64,
    /// How old the facts may be for a decision about a read, in milliseconds.
    pub stale_after_read_ms: u64,
    /// How long a decision waits for a position that has not been applied yet, in milliseconds.
    pub wait_for_position_ms: u64,
    /// The longest that a decision waits for another service's word on a subject or a record, in milliseconds; never
    /// more than half of the time that is left.
    pub ask_ms: u64,
    /// After how long without a sign a stream is given up and opened again, in milliseconds.
    pub silence_ms: u64,
    /// How often denials are written to the outbox, in milliseconds.
    pub record_denials_ms: u64,
    /// How many different denials are kept until they are written; more are counted only.
    pub kept_denials: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stale_after_iam_ms: 2_000,
            stale_after_change_ms: 30_000,
            stale_after_read_ms: 300_000,
            wait_for_position_ms: 200,
            ask_ms: 250,
            silence_ms: 2_000,
            record_denials_ms: 500,
            kept_denials: 10_000,
        }
    }
}

impl Config {
    /// Returns how old facts may be.
    pub(crate) const fn bounds(&self) -> Bounds {
        Bounds {
            iam: Duration::from_millis(self.stale_after_iam_ms),
            change: Duration::from_millis(self.stale_after_change_ms),
            read: Duration::from_millis(self.stale_after_read_ms),
        }
    }
}
