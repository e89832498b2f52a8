//! The writes that Redis has missed, to be repeated when it is back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many keys are remembered. Beyond, those are forgotten whose entries in Redis end first.
const MOST: usize = 10_000;

/// What Redis has to be told of each key.
#[derive(Default)]
pub(crate) struct Owed(Mutex<Debts>);

#[derive(Default)]
struct Debts {
    by_key: HashMap<Arc<str>, Debt>,
    /// Whether somebody repeats them already.
    repeating: bool,
}

/// A version that Redis has missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Debt {
    pub(crate) version: i64,
    /// How long Redis keeps entries of this kind.
    pub(crate) ttl: Duration,
    /// When the last older entry has left Redis by itself.
    until: Instant,
}

impl Owed {
    /// Notes that Redis has missed `version`. Returns whether the caller is to have it repeated, because nobody does yet.
    pub(crate) fn add(&self, key: &Arc<str>, version: i64, ttl: Duration) -> bool {
        let mut debts = self.debts();
        if debts.by_key.get(key).is_none_or(|debt| debt.version <= version) {
            if debts.by_key.len() >= MOST && !debts.by_key.contains_key(key) {
                debts.make_room();
            }
            debts.by_key.insert(Arc::clone(key), Debt { version, ttl, until: Instant::now() + ttl });
        }
        !std::mem::replace(&mut debts.repeating, true)
    }

    /// Notes that Redis has heard of `version`.
    pub(crate) fn paid(&self, key: &str, version: i64) {
        let mut debts = self.debts();
        if debts.by_key.get(key).is_some_and(|debt| debt.version <= version) {
            debts.by_key.remove(key);
        }
    }

    /// Returns the version of `key` that Redis has missed.
    pub(crate) fn version(&self, key: &str) -> Option<i64> {
        self.debts().by_key.get(key).map(|debt| debt.version)
    }

    /// Lists what is still to be repeated.
    pub(crate) fn list(&self) -> Vec<(Arc<str>, Debt)> {
        let mut debts = self.debts();
        debts.forget_the_old();
        debts.by_key.iter().map(|(key, debt)| (Arc::clone(key), *debt)).collect()
    }

    /// Says whether nothing is left; then the next debt asks for somebody to repeat it again.
    pub(crate) fn is_settled(&self) -> bool {
        let mut debts = self.debts();
        debts.repeating = !debts.by_key.is_empty();
        !debts.repeating
    }

    /// Notes that nobody can repeat anything at present.
    pub(crate) fn give_up(&self) {
        self.debts().repeating = false;
    }

    fn debts(&self) -> MutexGuard<'_, Debts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debts {
    fn forget_the_old(&mut self) {
        let now = Instant::now();
        self.by_key.retain(|_, debt| debt.until > now);
    }

    fn make_room(&mut self) {
        self.forget_the_old();
        if self.by_key.len() < MOST {
            return;
        }
        let first = self.by_key.iter().min_by_key(|(_, debt)| debt.until).map(|(key, _)| Arc::clone(key));
        if let Some(key) = first {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_mins(10);

    fn key(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    #[test]
    fn the_newest_version_is_owed_until_redis_has_heard_of_it() {
        let owed = Owed::default();
        assert!(owed.add(&key("a"), 2, TTL), "somebody is to repeat it");
        assert!(!owed.add(&key("a"), 3, TTL), "and one is enough");
        owed.add(&key("a"), 1, TTL);
        assert_eq!(owed.version("a"), Some(3));
        owed.paid("a", 2);
        assert!(!owed.is_settled());
        owed.paid("a", 3);
        assert!(owed.is_settled());
        assert!(owed.add(&key("a"), 4, TTL));
    }

    #[test]
    fn what_has_left_redis_by_itself_is_not_owed() {
        let owed = Owed::default();
        owed.add(&key("a"), 2, Duration::ZERO);
        assert!(owed.list().is_empty() && owed.is_settled());
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let owed = Owed::default();
        owed.add(&key("first"), 1, TTL / 2);
        for number in 0..MOST {
            owed.add(&key(&number.to_string()), 1, TTL);
        }
        assert_eq!((owed.list().len(), owed.version("first")), (MOST, None));
    }
}
