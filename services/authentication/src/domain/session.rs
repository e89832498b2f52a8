//! Sessions, and what a refresh token that comes in means for its session.

use chrono::{DateTime, TimeDelta, Utc};
use taskman_ids::{CompanyId, SessionId, UserId};

use super::secret::Hash;

/// How long an access token is valid.
pub(crate) const ACCESS: TimeDelta = TimeDelta::minutes(15);
/// How long a session lasts that nobody uses.
const IDLE: TimeDelta = TimeDelta::days(7);
/// How long a session lasts at most.
const LIFETIME: TimeDelta = TimeDelta::days(30);
/// For how long a client that did not get the answer may ask again with the same refresh token.
const RETRY: TimeDelta = TimeDelta::seconds(10);

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: SessionId,
    /// The company of the user.
    pub(crate) company: CompanyId,
    /// Whose it is.
    pub(crate) user: UserId,
    /// When the password was proved.
    pub(crate) authenticated_at: DateTime<Utc>,
    /// When the newest access token was issued.
    pub(crate) issued_at: DateTime<Utc>,
    /// When it is over, however much it is used.
    pub(crate) expires_at: DateTime<Utc>,
    /// When it is over, if nobody uses it.
    pub(crate) open_until: DateTime<Utc>,
    /// When it was ended before its time.
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

impl Session {
    /// Begins a session whose first access token is issued at `now`.
    pub(crate) fn begin(company: CompanyId, user: UserId, now: DateTime<Utc>) -> Self {
        Self {
            id: SessionId::new(),
            company,
            user,
            authenticated_at: now,
            issued_at: now,
            expires_at: now + LIFETIME,
            open_until: now + IDLE,
            ended_at: None,
        }
    }

    /// Says whether it can be used.
    pub(crate) fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.open_until
    }

    /// Moves its end on because it is used. The clocks of replicas differ: a token is never older than the one before.
    pub(crate) fn prolong(&mut self, now: DateTime<Utc>) {
        self.issued_at = self.issued_at.max(now);
        self.open_until = (now + IDLE).min(self.expires_at);
    }
}

/// A refresh token, as far as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    /// Which one of its session, from 1.
    pub(crate) generation: i32,
    /// The hash of its secret.
    pub(crate) hash: Hash,
    /// When its successor was made.
    pub(crate) used_at: Option<DateTime<Utc>>,
}

/// What a refresh token that came in means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    /// It is the newest: a successor is made.
    Newest,
    /// It was used just now, and its successor was not: the answer was lost, so it is given again.
    Again,
    /// Two parties hold it, or held it: the session ends.
    Reused,
}

/// Judges `token`, given its successor.
pub(crate) fn judge(token: &RefreshToken, successor: Option<&RefreshToken>, now: DateTime<Utc>) -> Presented {
    match (token.used_at, successor) {
        (None, _) => Presented::Newest,
        (Some(used_at), Some(successor)) if successor.used_at.is_none() && now - used_at <= RETRY => Presented::Again,
        (Some(_), _) => Presented::Reused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn token(generation: i32, used_at: Option<DateTime<Utc>>) -> RefreshToken {
        RefreshToken { generation, hash: [0; 32], used_at }
    }

    #[test]
    fn the_answer_is_repeated_for_ten_seconds_while_nobody_has_used_it() {
        let (old, new) = (token(1, Some(NOW)), token(2, None));
        let judged = |new: Option<&RefreshToken>, after| judge(&old, new, NOW + TimeDelta::milliseconds(after));
        assert_eq!(judged(Some(&new), 0), Presented::Again);
        assert_eq!(judged(Some(&new), 10_000), Presented::Again);
        assert_eq!(judged(Some(&new), 10_001), Presented::Reused);
        assert_eq!(judged(Some(&token(2, Some(NOW))), 1), Presented::Reused);
        assert_eq!(judged(None, 1), Presented::Reused);
        assert_eq!(judge(&new, None, NOW), Presented::Newest);
    }

    #[test]
    fn a_session_ends_after_a_week_without_use_and_after_a_month_with_it() {
        let mut session = Session::begin(CompanyId::new(), UserId::new(), NOW);
        assert!(session.is_open(NOW + TimeDelta::days(7) - TimeDelta::microseconds(1)));
        assert!(!session.is_open(NOW + TimeDelta::days(7)));
        for day in 1..30 {
            session.prolong(NOW + TimeDelta::days(day));
        }
        assert!(session.is_open(NOW + TimeDelta::days(30) - TimeDelta::microseconds(1)));
        assert!(!session.is_open(NOW + TimeDelta::days(30)));
    }

    #[test]
    fn a_slow_clock_does_not_make_a_token_older_than_the_one_before() {
        let mut session = Session::begin(CompanyId::new(), UserId::new(), NOW);
        session.prolong(NOW - TimeDelta::seconds(3));
        assert_eq!(session.issued_at, NOW);
    }
}
