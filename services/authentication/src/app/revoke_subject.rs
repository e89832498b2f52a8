//! Ends every session of somebody who may not log in any more.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use taskman_events::auth::{RevocationReason, SessionRevoked};
use taskman_events::{Actor, Origin};
use taskman_identity::Revoked;
use taskman_ids::{CompanyId, UserId};
use taskman_messaging::outbox;

use super::{App, forget_at};
use crate::error::Error;
use crate::store;
use crate::store::revocation::New;
use crate::store::session::Ended;

/// Whom to shut out.
#[derive(Debug)]
pub(crate) struct RevokeSubject {
    /// The company.
    pub(crate) company: CompanyId,
    /// The user.
    pub(crate) user: UserId,
    /// Why.
    pub(crate) reason: RevocationReason,
}

/// Shuts a user out, for the user service; returns how many sessions ended.
///
/// The revocation is written even where there is no session: a login that is on its way finds it and is refused.
pub(crate) async fn revoke_subject(app: &App, cmd: RevokeSubject) -> Result<usize, Error> {
    let RevokeSubject { company, user, reason } = cmd;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::credential::find_for_update(&mut tx, company, user).await?;
    let origin = Origin::new(company, Actor::Service("user"));
    let ended = end_all(&mut tx, &origin, user, reason, now).await?;
    tx.commit().await?;
    app.committed(true);
    Ok(ended)
}

/// Ends every session of a user, and every access token that was issued until now.
pub(crate) async fn end_all(
    conn: &mut PgConnection,
    origin: &Origin,
    user: UserId,
    reason: RevocationReason,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let company = origin.company;
    // Also the sessions that a replica with a faster clock has begun.
    let until = now + TimeDelta::days(1);
    let ended = store::session::end_of_user(conn, (company, user), until, reason, now).await?;
    record(conn, origin, &ended, reason, now).await?;
    let issued_until = ended.iter().map(|ended| ended.issued_at).fold(now, DateTime::max);
    let revocation = New { what: Revoked::User(user), issued_until, forget_at: forget_at(issued_until) };
    store::revocation::insert(conn, company, &[revocation]).await?;
    Ok(ended.len())
}

/// Returns what ends the access tokens of a session that was ended.
pub(crate) fn of_session(ended: &Ended, now: DateTime<Utc>) -> New {
    let issued_until = ended.issued_at.max(now);
    New { what: Revoked::Session(ended.session), issued_until, forget_at: forget_at(issued_until) }
}

/// Ends the access tokens of sessions that were ended, each for itself: those that began later go on.
pub(crate) async fn revoke_each(
    conn: &mut PgConnection,
    origin: &Origin,
    ended: &[Ended],
    reason: RevocationReason,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    record(conn, origin, ended, reason, now).await?;
    let revocations: Vec<New> = ended.iter().map(|ended| of_session(ended, now)).collect();
    store::revocation::insert(conn, origin.company, &revocations).await
}

async fn record(
    conn: &mut PgConnection,
    origin: &Origin,
    ended: &[Ended],
    reason: RevocationReason,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let events: Vec<SessionRevoked> =
        ended.iter().map(|ended| SessionRevoked { user_id: ended.user, session_id: ended.session, reason }).collect();
    if !events.is_empty() {
        outbox::record_all(conn, origin, &events, now).await?;
    }
    Ok(())
}
