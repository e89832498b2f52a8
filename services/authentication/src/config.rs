//! What only this service has to be told.

use std::num::NonZero;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskman_identity::Algorithm;

/// The configuration of the authentication service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The algorithm of new signing keys: `ES256` or `EdDSA`. `identity.hs256_secret`, where it is set, wins over it.
    pub algorithm: Algorithm,
    /// After how many days a new signing key takes over; at least 1.
    pub rotate_keys_after_days: u16,
    /// How often it is looked whether a key is due, in milliseconds.
    pub check_keys_every_ms: u64,
    /// How often the keys are read again that other replicas may have made, in milliseconds; far less than the hour for
    /// which a new key is published before it signs.
    pub reload_keys_every_ms: u64,
    /// How many passwords are hashed at the same time; 0 means one for each processor.
    pub hash_workers: usize,
    /// How many more may wait for their turn; beyond it the service says that it is overloaded.
    pub hash_queue: usize,
    /// How often what is over is deleted, in milliseconds.
    pub purge_every_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Es256,
            rotate_keys_after_days: 30,
            check_keys_every_ms: 3_600_000,
            reload_keys_every_ms: 10_000,
            hash_workers: 0,
            hash_queue: 64,
            purge_every_ms: 600_000,
        }
    }
}

impl Config {
    pub(crate) fn rotate_keys_after(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::days(i64::from(self.rotate_keys_after_days.max(1)))
    }

    pub(crate) fn check_keys_every(&self) -> Duration {
        Duration::from_millis(self.check_keys_every_ms.max(1))
    }

    pub(crate) fn reload_keys_every(&self) -> Duration {
        Duration::from_millis(self.reload_keys_every_ms.max(1))
    }

    pub(crate) fn purge_every(&self) -> Duration {
        Duration::from_millis(self.purge_every_ms.max(1))
    }

    pub(crate) fn hash_workers(&self) -> usize {
        match self.hash_workers {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        }
    }
}
