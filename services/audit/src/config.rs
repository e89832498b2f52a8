//! What only the audit service has to be told.

use serde::Deserialize;
use taskman_postgres::time_series::Retention;

/// The configuration of the audit service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often days are made, compressed and dropped, in seconds.
    pub maintain_every_s: u64,
    /// How many days ahead there is a partition.
    pub ahead_days: u32,
    /// After how many days a day is compressed, where the server can.
    pub compress_after_days: u32,
    /// For how many days rows are kept at least.
    pub keep_days: u32,
    /// Whether days that are older than that are dropped. Off: a day may only go once it is archived, and this service
    /// does not write archives. Whoever archives by other means turns it on.
    pub drop_expired: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { maintain_every_s: 6 * 3_600, ahead_days: 7, compress_after_days: 7, keep_days: 90, drop_expired: false }
    }
}

impl Config {
    /// Returns what the time series is kept by.
    pub(crate) fn retention(&self) -> Retention {
        Retention {
            ahead: self.ahead_days,
            compress_after: self.compress_after_days,
            keep: self.drop_expired.then_some(self.keep_days),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_dropped_unless_somebody_says_so() {
        assert_eq!(Config::default().retention().keep, None);
        assert_eq!(Config { drop_expired: true, ..Config::default() }.retention().keep, Some(90));
    }
}
