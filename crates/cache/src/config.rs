//! Where Redis is, and how much is kept in memory.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// The cache of one service. The default keeps a second in memory and has no Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL of Redis, `redis://user:password@host:port/database`; none works without.
    pub url: Option<SecretString>,
    /// How many milliseconds Redis has for an answer before the service goes on without.
    pub response_timeout_ms: u64,
    /// How many entries are kept in memory.
    pub memory_entries: u64,
    /// How many milliseconds an entry is kept in memory; at most 1 000, which is what other replicas are promised.
    pub memory_ttl_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: None, response_timeout_ms: 200, memory_entries: 10_000, memory_ttl_ms: 1_000 }
    }
}

impl Config {
    pub(crate) const fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }

    pub(crate) fn memory_ttl(&self) -> Duration {
        Duration::from_millis(self.memory_ttl_ms).min(Duration::from_secs(1))
    }
}

/// Says that the URL of Redis cannot be read. The URL is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the URL of Redis is not valid")]
pub struct ConfigInvalid;
