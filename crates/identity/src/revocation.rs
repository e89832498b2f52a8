//! The tokens that ended before their time, and whether all of them are known.
//!
//! Authentication sends revocations in the order of their positions and, twice a second, a heartbeat with the newest
//! position. The chassis keeps the stream; this list keeps what came.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use taskman_ids::{SessionId, UserId};

use crate::caller::Caller;
use crate::token::LEEWAY;

/// For how long a heartbeat proves that nothing is missing.
const FRESH_FOR: Duration = Duration::from_secs(2);

/// The most sessions and users that are kept; beyond it the list says that it is not fresh rather than forget one.
const CAPACITY: usize = 500_000;

/// What a revocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The tokens of one session.
    Session(SessionId),
    /// The tokens of every session of a user.
    User(UserId),
}

/// Ends the access tokens that were issued up to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Its place in the order of all revocations, from 1.
    pub position: i64,
    /// Whose tokens end.
    pub what: Revoked,
    /// Tokens issued at or before this are refused.
    pub issued_until: DateTime<Utc>,
    /// When the last of these tokens has expired.
    pub forget_at: DateTime<Utc>,
}

/// What a heartbeat says about the stream that it came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything up to the head is applied.
    Current,
    /// Something up to the head has not arrived yet.
    Behind,
    /// The stream has to be opened again from [`RevocationList::position`]: the issuer went back in time (a restored
    /// database), or the list was full and has room again.
    Reopen,
}

/// The revocations that are known. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct RevocationList(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<SessionId, Entry>,
    users: HashMap<UserId, Entry>,
    position: i64,
    /// When the last heartbeat came whose head was applied.
    current_at: Option<Instant>,
    /// A heartbeat whose head was not applied when it came.
    awaited: Option<(i64, Instant)>,
    /// A revocation found no room; nothing after it is counted as applied.
    stalled: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    issued_until: DateTime<Utc>,
    forget_at: DateTime<Utc>,
}

impl RevocationList {
    /// Starts with none, and not fresh.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a revocation. A repeated one changes nothing.
    pub fn apply(&self, revocation: Revocation) {
        self.write().apply(revocation, CAPACITY);
    }

    /// Notes that the issuer's newest position was `head` when a heartbeat arrived `at` here.
    pub fn heartbeat(&self, head: i64, at: Instant) -> Progress {
        self.write().heartbeat(head, at, CAPACITY)
    }

    /// Returns the position up to which everything is applied: where a stream continues.
    pub fn position(&self) -> i64 {
        self.read().position
    }

    /// Says whether the caller's token was issued before its session or user was shut out.
    pub fn is_revoked(&self, caller: &Caller) -> bool {
        let state = self.read();
        let entries = [state.sessions.get(&caller.session), state.users.get(&caller.user)];
        entries.into_iter().flatten().any(|entry| caller.issued_at <= entry.issued_until)
    }

    /// Says whether everything that was revoked until two seconds before `now` is known.
    pub fn is_fresh(&self, now: Instant) -> bool {
        let state = self.read();
        !state.stalled && state.current_at.is_some_and(|at| now.saturating_duration_since(at) <= FRESH_FOR)
    }

    /// Drops the revocations whose tokens have all expired.
    pub fn forget(&self, now: DateTime<Utc>) {
        let mut state = self.write();
        // A verifier takes a token for a little longer than it says.
        let expired = now - LEEWAY;
        state.sessions.retain(|_, entry| entry.forget_at > expired);
        state.users.retain(|_, entry| entry.forget_at > expired);
    }

    /// Returns how many sessions and users are shut out.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Says whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn len(&self) -> usize {
        self.sessions.len() + self.users.len()
    }

    fn apply(&mut self, revocation: Revocation, capacity: usize) {
        let has_room = self.len() < capacity;
        let entry = Entry { issued_until: revocation.issued_until, forget_at: revocation.forget_at };
        let kept = match revocation.what {
            Revoked::Session(session) => keep(&mut self.sessions, session, entry, has_room),
            Revoked::User(user) => keep(&mut self.users, user, entry, has_room),
        };
        self.stalled |= !kept;
        if self.stalled {
            return;
        }
        self.position = self.position.max(revocation.position);
        if let Some((head, at)) = self.awaited
            && head <= self.position
        {
            self.current_at = self.current_at.max(Some(at));
            self.awaited = None;
        }
    }

    fn heartbeat(&mut self, head: i64, at: Instant, capacity: usize) -> Progress {
        if self.stalled && self.len() >= capacity {
            return Progress::Behind;
        }
        if self.stalled || head < self.position {
            // What is known stays known: refusing too much is safe, and it is over when the tokens are.
            self.position = if self.stalled { self.position } else { 0 };
            self.stalled = false;
            self.current_at = None;
            self.awaited = None;
            return Progress::Reopen;
        }
        if head > self.position {
            self.awaited = Some((head, at));
            return Progress::Behind;
        }
        self.current_at = self.current_at.max(Some(at));
        self.awaited = None;
        Progress::Current
    }
}

/// Adds an entry or widens the one there is; says whether there was room.
fn keep<K: Eq + Hash>(entries: &mut HashMap<K, Entry>, key: K, entry: Entry, has_room: bool) -> bool {
    if let Some(known) = entries.get_mut(&key) {
        known.issued_until = known.issued_until.max(entry.issued_until);
        known.forget_at = known.forget_at.max(entry.forget_at);
        return true;
    }
    if has_room {
        entries.insert(key, entry);
    }
    has_room
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation(position: i64, user: UserId) -> Revocation {
        let issued_until = DateTime::UNIX_EPOCH;
        Revocation { position, what: Revoked::User(user), issued_until, forget_at: issued_until }
    }

    #[test]
    fn a_full_list_is_not_fresh_until_it_has_read_what_it_could_not_keep() {
        let (now, mut state) = (Instant::now(), State::default());
        let (first, second) = (UserId::new(), UserId::new());
        state.apply(revocation(1, first), 1);
        assert_eq!(state.heartbeat(1, now, 1), Progress::Current);
        state.apply(revocation(2, second), 1);
        state.apply(revocation(3, first), 1);
        assert_eq!((state.position, state.stalled, state.len()), (1, true, 1));
        assert_eq!(state.heartbeat(3, now, 1), Progress::Behind);

        state.users.clear();
        assert_eq!(state.heartbeat(3, now, 1), Progress::Reopen);
        assert_eq!((state.position, state.stalled, state.current_at), (1, false, None));
        state.apply(revocation(2, second), 2);
        state.apply(revocation(3, first), 2);
        assert_eq!(state.heartbeat(3, now, 2), Progress::Current);
        assert_eq!((state.position, state.current_at), (3, Some(now)));
    }

    #[test]
    fn a_full_list_still_widens_what_it_has() {
        let (user, mut state) = (UserId::new(), State::default());
        state.apply(revocation(1, user), 1);
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(5);
        state.apply(Revocation { issued_until: later, ..revocation(2, user) }, 1);
        assert_eq!((state.position, state.users[&user].issued_until), (2, later));
    }
}
