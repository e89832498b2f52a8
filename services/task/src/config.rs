//! What only this service has to be told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The configuration of the task service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long the user service may take to say whether somebody can be given a task, in milliseconds.
    pub assignable_timeout_ms: u64,
    /// How often the active tasks are counted for the metrics, in seconds; at least 1.
    pub count_active_tasks_every_s: u64,
    /// How often replies that were remembered for repeated requests are forgotten, in seconds; at least 1.
    pub purge_idempotency_keys_every_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { assignable_timeout_ms: 1_000, count_active_tasks_every_s: 30, purge_idempotency_keys_every_s: 600 }
    }
}

impl Config {
    pub(crate) const fn assignable_timeout(&self) -> Duration {
        Duration::from_millis(self.assignable_timeout_ms)
    }

    pub(crate) fn count_active_tasks_every(&self) -> Duration {
        Duration::from_secs(self.count_active_tasks_every_s.max(1))
    }

    pub(crate) fn purge_idempotency_keys_every(&self) -> Duration {
        Duration::from_secs(self.purge_idempotency_keys_every_s.max(1))
    }
}
