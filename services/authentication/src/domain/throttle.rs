//! How often somebody may try: counters of attempts, and how long the next one has to wait.
//!
//! A login counts for its account, for the network that it comes from, and for the pair of both. An attempt is counted
//! before its password is looked at, and taken back when it was right: so that a hundred attempts at once are not a
//! hundred free ones. Nothing is locked for good, and what is refused does not prolong the wait. A pair that has logged
//! in before is a known device: only its own attempts count, so that others cannot shut it out.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

/// No wait is longer.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// Attempts are forgotten when there was none for so long.
const MEMORY: TimeDelta = TimeDelta::hours(1);
/// A device is known for so long after a login.
const KNOWN: TimeDelta = TimeDelta::days(30);

/// What attempts are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An account, whoever tries.
    Account,
    /// A network, whichever account it tries.
    Network,
    /// One account from one network.
    Pair,
    /// Mails to one account that somebody asked for.
    Mail,
}

impl Scope {
    /// Returns the name, which keeps the keys of two scopes apart.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Network => "network",
            Self::Pair => "pair",
            Self::Mail => "mail",
        }
    }

    /// How many attempts are free, and how long the first wait is; each further one doubles it.
    const fn allowance(self) -> (i32, TimeDelta) {
        match self {
            Self::Pair => (5, TimeDelta::seconds(1)),
            Self::Account => (10, TimeDelta::seconds(1)),
            // Many people share an address.
            Self::Network => (50, TimeDelta::seconds(1)),
            Self::Mail => (3, TimeDelta::minutes(5)),
        }
    }
}

/// The attempts of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counter {
    /// What is counted.
    pub(crate) scope: Scope,
    /// How many attempts there were.
    pub(crate) failures: i32,
    /// Until when no further one is looked at.
    pub(crate) blocked_until: Option<DateTime<Utc>>,
    /// When the last login succeeded; pairs only.
    pub(crate) succeeded_at: Option<DateTime<Utc>>,
}

impl Counter {
    /// Starts without attempts.
    pub(crate) const fn new(scope: Scope) -> Self {
        Self { scope, failures: 0, blocked_until: None, succeeded_at: None }
    }

    /// When nothing of it matters any more.
    pub(crate) fn forget_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.succeeded_at.map_or(now + MEMORY, |at| (at + KNOWN).max(now + MEMORY))
    }

    fn is_blocked(&self, now: DateTime<Utc>) -> bool {
        self.blocked_until.is_some_and(|until| now < until)
    }

    fn is_known_device(&self, now: DateTime<Utc>) -> bool {
        self.succeeded_at.is_some_and(|at| now - at <= KNOWN)
    }

    fn count(&mut self, now: DateTime<Utc>) {
        let (free, first) = self.scope.allowance();
        self.failures = self.failures.saturating_add(1);
        if let Ok(doublings) = u32::try_from(self.failures - free - 1) {
            // 2^10 of the shortest wait is beyond the longest.
            let wait = first * (1 << doublings.min(10));
            self.blocked_until = Some(now + wait.min(LONGEST));
        }
    }

    fn reset(&mut self) {
        self.failures = 0;
        self.blocked_until = None;
    }
}

/// The counters of one attempt to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Of the account.
    pub(crate) account: Counter,
    /// Of the network.
    pub(crate) network: Counter,
    /// Of both.
    pub(crate) pair: Counter,
}

impl Attempt {
    /// Counts the attempt, or says (`false`) that it comes too early.
    pub(crate) fn admit(&mut self, now: DateTime<Utc>) -> bool {
        let mut counters = self.relevant(now);
        if counters.iter().any(|counter| counter.is_blocked(now)) {
            return false;
        }
        for counter in &mut counters {
            counter.count(now);
        }
        true
    }

    /// Takes the attempt back because it succeeded, and knows the device from now on.
    pub(crate) fn succeed(&mut self, now: DateTime<Utc>) {
        if !self.pair.is_known_device(now) {
            self.account.reset();
            // Others of this network may be guessing: only this one attempt is taken back. It was admitted, so before
            // it nothing was blocked.
            self.network.failures = (self.network.failures - 1).max(0);
            self.network.blocked_until = None;
        }
        self.pair.reset();
        self.pair.succeeded_at = Some(now);
    }

    fn relevant(&mut self, now: DateTime<Utc>) -> Vec<&mut Counter> {
        if self.pair.is_known_device(now) {
            vec![&mut self.pair]
        } else {
            vec![&mut self.account, &mut self.network, &mut self.pair]
        }
    }
}

/// Counts a mail that somebody wants to have sent, or says (`false`) that it is too soon for another one.
pub(crate) fn admit_mail(counter: &mut Counter, now: DateTime<Utc>) -> bool {
    let admitted = !counter.is_blocked(now);
    if admitted {
        counter.count(now);
    }
    admitted
}

/// Returns the network that an address belongs to: what one customer of a provider usually has.
pub(crate) fn network(address: Option<IpAddr>) -> Vec<u8> {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.octets()[..3].to_vec(),
        Some(IpAddr::V6(address)) => address.octets()[..7].to_vec(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn attempt() -> Attempt {
        Attempt {
            account: Counter::new(Scope::Account),
            network: Counter::new(Scope::Network),
            pair: Counter::new(Scope::Pair),
        }
    }

    #[test]
    fn five_attempts_are_free_and_then_the_wait_doubles_up_to_a_quarter_of_an_hour() {
        let (mut attempt, mut now) = (attempt(), NOW);
        for _ in 0..6 {
            assert!(attempt.admit(now));
        }
        let mut waits = Vec::new();
        for _ in 0..13 {
            assert!(!attempt.admit(now));
            let until = attempt.pair.blocked_until.max(attempt.account.blocked_until).unwrap();
            assert!(!attempt.admit(until - TimeDelta::microseconds(1)));
            waits.push((until - now).num_seconds());
            now = until;
            assert!(attempt.admit(now));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn refused_attempts_do_not_prolong_the_wait() {
        let mut attempt = attempt();
        while attempt.admit(NOW) {}
        let before = attempt.clone();
        assert!(!attempt.admit(NOW));
        assert_eq!(attempt, before);
    }

    #[test]
    fn a_known_device_is_not_shut_out_by_attempts_from_elsewhere() {
        let mut mine = attempt();
        assert!(mine.admit(NOW));
        mine.succeed(NOW);
        let mut others = Attempt { pair: Counter::new(Scope::Pair), ..mine.clone() };
        for second in 0..10_000 {
            others.admit(NOW + TimeDelta::seconds(second));
        }
        let later = NOW + TimeDelta::seconds(10_000);
        assert!(others.account.is_blocked(later));
        let mut mine = Attempt { account: others.account.clone(), network: others.network, pair: mine.pair };
        assert!(mine.admit(later));
        mine.succeed(later);
        assert_eq!(mine.account, others.account, "what others did stays counted");
        let month = later + TimeDelta::days(31);
        mine.account.blocked_until = Some(month + TimeDelta::seconds(1));
        assert!(!mine.admit(month), "after a month the device is not known any more");
    }

    #[test]
    fn a_success_does_not_wash_away_the_guesses_of_its_network() {
        let mut guesses = attempt();
        for _ in 0..5 {
            guesses.admit(NOW);
        }
        let mut own = Attempt { network: guesses.network, ..attempt() };
        assert!(own.admit(NOW));
        own.succeed(NOW);
        assert_eq!(own.network.failures, 5);
    }

    #[test]
    fn neighbours_share_a_network_however_their_address_is_written() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.200"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1:100::1"), of("2001:db8:1:1ff::2"));
        assert_ne!(of("2001:db8:1:100::1"), of("2001:db8:1:200::1"));
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_a_quarter_of_an_hour(pauses in proptest::collection::vec(0_i64..2_000, 1..200)) {
            let (mut attempt, mut now) = (attempt(), NOW);
            for pause in pauses {
                now += TimeDelta::seconds(pause);
                attempt.admit(now);
                for counter in [&attempt.account, &attempt.network, &attempt.pair] {
                    prop_assert!(counter.blocked_until.is_none_or(|until| until <= now + LONGEST));
                }
            }
        }
    }
}
