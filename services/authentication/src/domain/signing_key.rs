//! When a signing key is made, signs, only verifies, and goes.

use chrono::{DateTime, TimeDelta, Utc};
use taskman_identity::Algorithm;

/// For how long a new key is published before it signs: every verifier has fetched the keys many times by then.
const PUBLISHED_BEFORE: TimeDelta = TimeDelta::hours(1);
/// For how long a key verifies after its successor has begun to sign: longer than any of its tokens lasts.
const VERIFIES_AFTER: TimeDelta = TimeDelta::hours(1);

/// A key, as far as its times go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyTimes {
    /// Its id.
    pub(crate) kid: String,
    /// How it signs.
    pub(crate) algorithm: Algorithm,
    /// From when on it signs, until its successor does.
    pub(crate) signs_from: DateTime<Utc>,
}

/// What is to be done to the keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// A key is to be made that signs from this moment on.
    pub(crate) make: Option<DateTime<Utc>>,
    /// These keys have no valid token left.
    pub(crate) delete: Vec<String>,
}

/// Plans for `keys` in the order of their `signs_from`.
pub(crate) fn plan(keys: &[KeyTimes], algorithm: Algorithm, rotate_after: TimeDelta, now: DateTime<Utc>) -> Plan {
    let make = match keys.last() {
        None => Some(now),
        Some(newest) if newest.signs_from > now => None,
        Some(newest) => {
            let due = newest.signs_from + rotate_after <= now || newest.algorithm != algorithm;
            due.then(|| now + PUBLISHED_BEFORE)
        }
    };
    let over = keys.windows(2).filter(|pair| pair[1].signs_from + VERIFIES_AFTER <= now);
    Plan { make, delete: over.map(|pair| pair[0].kid.clone()).collect() }
}

/// Finds the place of the key that signs at `now` among the `signs_from` of all, in order.
pub(crate) fn signer(signs_from: impl Iterator<Item = DateTime<Utc>>, now: DateTime<Utc>) -> Option<usize> {
    // A clock behind the one of the replica that made the very first key: that key signs all the same.
    signs_from.enumerate().filter(|(at, from)| *at == 0 || *from <= now).last().map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
    const AGE: TimeDelta = TimeDelta::days(30);

    fn key(kid: &str, hours: i64) -> KeyTimes {
        KeyTimes { kid: kid.to_owned(), algorithm: Algorithm::Es256, signs_from: NOW + TimeDelta::hours(hours) }
    }

    #[test]
    fn the_first_key_signs_at_once_and_later_ones_after_they_were_published() {
        let planned = |keys: &[KeyTimes], algorithm, hours| plan(keys, algorithm, AGE, NOW + TimeDelta::hours(hours));
        assert_eq!(planned(&[], Algorithm::Es256, 0).make, Some(NOW));
        assert_eq!(planned(&[key("a", 0)], Algorithm::Es256, 30 * 24 - 1).make, None);
        let due = NOW + TimeDelta::hours(30 * 24 + 1);
        assert_eq!(planned(&[key("a", 0)], Algorithm::Es256, 30 * 24).make, Some(due));
        assert_eq!(planned(&[key("a", 0), key("b", 30 * 24 + 1)], Algorithm::Es256, 30 * 24).make, None);
        assert_eq!(planned(&[key("a", 0)], Algorithm::EdDsa, 2).make, Some(NOW + TimeDelta::hours(3)));
    }

    #[test]
    fn a_key_stays_until_its_successor_has_signed_for_an_hour() {
        let keys = [key("a", 0), key("b", 10), key("c", 20)];
        let deleted = |hours| plan(&keys, Algorithm::Es256, AGE, NOW + TimeDelta::hours(hours)).delete;
        assert_eq!(deleted(10), [""; 0]);
        assert_eq!(deleted(11), ["a"]);
        assert_eq!(deleted(500), ["a", "b"]);
    }

    #[test]
    fn a_key_signs_from_its_moment_on() {
        let signs_from = [0, 10].map(|hours| NOW + TimeDelta::hours(hours));
        let at = |hours| signer(signs_from.into_iter(), NOW + TimeDelta::hours(hours));
        assert_eq!([at(-1), at(0), at(9), at(10)], [Some(0), Some(0), Some(0), Some(1)]);
        assert_eq!(signer(std::iter::empty(), NOW), None);
    }
}
