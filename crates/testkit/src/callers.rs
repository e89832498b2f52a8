//! Callers that no login made.

use chrono::TimeDelta;
use taskman_clock::{Clock as _, SystemClock};
use taskman_identity::{Caller, Client};
use taskman_ids::{CompanyId, RequestId, SessionId, UserId};

/// Returns a caller of a company of its own.
pub fn caller() -> Caller {
    caller_of(CompanyId::new())
}

/// Returns another caller of `company`.
pub fn caller_of(company: CompanyId) -> Caller {
    let (user, now) = (UserId::new(), SystemClock.now());
    Caller {
        user,
        company,
        session: SessionId::new(),
        email: format!("{user}@example.com"),
        roles: Vec::new(),
        iam_position: 0,
        issued_at: now,
        expires_at: now + TimeDelta::minutes(15),
        client: Client::new(Some([203, 0, 113, 7].into()), Some("testkit"), RequestId::new()),
    }
}
