//! How much of what is allowed.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// The rate class of a method, as its options name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Attempts to log in, per address.
    Login,
    /// Reads, per user.
    Read,
    /// Writes, per user.
    Write,
    /// Searches, per user.
    Search,
    /// Exports, per user.
    Export,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::Login, Self::Read, Self::Write, Self::Search, Self::Export];

    /// Returns the name in keys, metrics and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Read => "read",
            Self::Write => "write",
            Self::Search => "search",
            Self::Export => "export",
        }
    }
}

/// How many calls of a class one key may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// The name of the class; keys of different classes are counted apart.
    pub class: &'static str,
    /// How many calls per minute are paid for.
    pub per_minute: NonZeroU32,
    /// How many calls may come at once after a rest.
    pub burst: NonZeroU32,
}

impl Quota {
    /// Allows `per_minute` calls, all of them at once if need be.
    pub const fn per_minute(class: &'static str, per_minute: NonZeroU32) -> Self {
        Self { class, per_minute, burst: per_minute }
    }

    /// Returns after how long one call is paid for, in whole microseconds.
    pub(crate) fn price(&self) -> Duration {
        Duration::from_micros(60_000_000_u64.div_ceil(u64::from(self.per_minute.get())))
    }
}

/// The limits of an installation, per minute. The default is the documented one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Attempts to log in, per address.
    pub login: NonZeroU32,
    /// Reads, per user.
    pub read: NonZeroU32,
    /// Writes, per user.
    pub write: NonZeroU32,
    /// Searches, per user.
    pub search: NonZeroU32,
    /// Exports, per user.
    pub export: NonZeroU32,
    /// Whether nothing is limited; for benchmarks.
    pub off: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        let per_minute = |calls| NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN);
        Self {
            login: per_minute(10),
            read: per_minute(600),
            write: per_minute(120),
            search: per_minute(60),
            export: per_minute(5),
            off: false,
        }
    }
}

impl Quotas {
    /// Returns the quota of a class; none when limits are off.
    pub fn of(&self, class: Class) -> Option<Quota> {
        let per_minute = match class {
            Class::Login => self.login,
            Class::Read => self.read,
            Class::Write => self.write,
            Class::Search => self.search,
            Class::Export => self.export,
        };
        (!self.off).then(|| Quota::per_minute(class.name(), per_minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let limits = Class::ALL.map(|class| Quotas::default().of(class).unwrap().per_minute.get());
        assert_eq!(limits, [10, 600, 120, 60, 5]);
    }

    #[test]
    fn limits_can_be_changed_or_off_but_never_zero() {
        let quotas: Quotas = serde_json::from_str(r#"{"login": 3}"#).unwrap();
        assert_eq!(quotas.of(Class::Login).map(|quota| (quota.per_minute.get(), quota.burst.get())), Some((3, 3)));
        let off: Quotas = serde_json::from_str(r#"{"off": true}"#).unwrap();
        assert_eq!(off.of(Class::Login), None);
        for wrong in [r#"{"login": 0}"#, r#"{"logins": 3}"#] {
            assert!(serde_json::from_str::<Quotas>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_price_that_is_no_whole_number_is_rounded_up() {
        let quota = Quota::per_minute("read", NonZeroU32::new(7).unwrap());
        assert_eq!(quota.price(), Duration::from_micros(8_571_429));
    }
}
