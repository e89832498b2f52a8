//! What only the user service has to be told.

use serde::Deserialize;

/// The configuration of the user service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often unfinished sign-ups and revocations are taken up again, in milliseconds.
    pub repeat_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { repeat_ms: 5_000 }
    }
}
