//! Revocations in PostgreSQL: numbered without gaps, in the order of commits.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use taskman_identity::{Revocation, Revoked};
use taskman_ids::{CompanyId, SessionId, UserId};

use crate::error::Error;

const PURGE_BATCH: i64 = 1_000;

/// A revocation that is about to be numbered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct New {
    /// What it ends.
    pub(crate) what: Revoked,
    /// Tokens issued at or before this are refused.
    pub(crate) issued_until: DateTime<Utc>,
    /// When the last of these tokens has expired.
    pub(crate) forget_at: DateTime<Utc>,
}

/// What is known of a user's latest revocations.
#[derive(Debug, Clone, Copy, FromRow)]
pub(crate) struct Latest {
    /// The newest position.
    pub(crate) position: Option<i64>,
    /// The time up to which tokens are refused.
    pub(crate) issued_until: Option<DateTime<Utc>>,
}

/// Returns the newest position.
pub(crate) async fn head(pool: &PgPool) -> Result<i64, Error> {
    let position = sqlx::query_scalar(
        "-- no company: one order over all companies
         SELECT position FROM revocation_head",
    )
    .fetch_one(pool)
    .await?;
    Ok(position)
}

/// Numbers revocations and stores them. Everybody who revokes waits here until this transaction has ended, so it comes
/// last in it.
pub(crate) async fn insert(conn: &mut PgConnection, company: CompanyId, new: &[New]) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    let head: i64 = sqlx::query_scalar(
        "-- no company: one order over all companies
         UPDATE revocation_head SET position = position + $1 RETURNING position",
    )
    .bind(count)
    .fetch_one(&mut *conn)
    .await?;
    let (sessions, users): (Vec<_>, Vec<_>) = new.iter().map(|new| columns(new.what)).unzip();
    sqlx::query(
        "INSERT INTO revocations (company_id, position, session_id, user_id, issued_until, forget_at)
         SELECT $1, $2 + place, session_id, user_id, issued_until, forget_at
         FROM unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[]) WITH ORDINALITY
              AS new (session_id, user_id, issued_until, forget_at, place)",
    )
    .bind(company)
    .bind(head - count)
    .bind(sessions)
    .bind(users)
    .bind(new.iter().map(|new| new.issued_until).collect::<Vec<_>>())
    .bind(new.iter().map(|new| new.forget_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the revocations after `since`, in order, at most `limit`.
pub(crate) async fn list(pool: &PgPool, since: i64, limit: i64) -> Result<Vec<Revocation>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "-- no company: every process that verifies tokens needs those of all companies
         SELECT position, session_id, user_id, issued_until, forget_at FROM revocations
         WHERE position > $1 ORDER BY position LIMIT $2",
    )
    .bind(since)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Revocation::try_from).collect()
}

/// Returns what is known of the revocations of a user's every session.
pub(crate) async fn latest_of_user(conn: &mut PgConnection, company: CompanyId, user: UserId) -> Result<Latest, Error> {
    let latest = sqlx::query_as(
        "SELECT max(position) AS position, max(issued_until) AS issued_until FROM revocations
         WHERE company_id = $1 AND user_id = $2",
    )
    .bind(company)
    .bind(user)
    .fetch_one(conn)
    .await?;
    Ok(latest)
}

/// Deletes some of the revocations whose tokens expired before `before`; returns whether there may be more. The newest
/// stays, so that whoever reads from the start arrives at the head.
pub(crate) async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<bool, Error> {
    let deleted = sqlx::query(
        "-- no company: age alone decides, in every company alike
         DELETE FROM revocations WHERE position = ANY (ARRAY(
             SELECT position FROM revocations
             WHERE forget_at < $1 AND position < (SELECT position FROM revocation_head)
             LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(before)
    .bind(PURGE_BATCH)
    .execute(pool)
    .await?
    .rows_affected();
    Ok(deleted == PURGE_BATCH.unsigned_abs())
}

const fn columns(what: Revoked) -> (Option<SessionId>, Option<UserId>) {
    match what {
        Revoked::Session(session) => (Some(session), None),
        Revoked::User(user) => (None, Some(user)),
    }
}

#[derive(FromRow)]
struct Row {
    position: i64,
    session_id: Option<SessionId>,
    user_id: Option<UserId>,
    issued_until: DateTime<Utc>,
    forget_at: DateTime<Utc>,
}

impl TryFrom<Row> for Revocation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let Row { position, session_id, user_id, issued_until, forget_at } = row;
        let what = session_id.map(Revoked::Session).or(user_id.map(Revoked::User));
        Ok(Self { position, what: what.ok_or(Error::Damaged("revocations"))?, issued_until, forget_at })
    }
}
