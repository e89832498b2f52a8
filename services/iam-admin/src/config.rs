//! What only the IAM admin service has to be told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The configuration of the IAM admin service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often assignments that have come to their end are cleared away and told of, in milliseconds; at least 1.
    /// Nobody holds a role longer because of it: the end itself is looked at whenever somebody asks.
    pub expire_roles_every_ms: u64,
    /// How often replies that were remembered for repeated requests are forgotten, in seconds; at least 1.
    pub purge_idempotency_keys_every_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { expire_roles_every_ms: 1_000, purge_idempotency_keys_every_s: 3_600 }
    }
}

impl Config {
    pub(crate) fn expire_roles_every(&self) -> Duration {
        Duration::from_millis(self.expire_roles_every_ms.max(1))
    }

    pub(crate) fn purge_idempotency_keys_every(&self) -> Duration {
        Duration::from_secs(self.purge_idempotency_keys_every_s.max(1))
    }
}
