//! Sessions in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use taskman_events::auth::RevocationReason;
use taskman_ids::{CompanyId, SessionId, UserId};

use crate::domain::session::Session;
use crate::error::Error;

/// How many sessions one statement deletes; each may take some thousand refresh tokens with it.
const PURGE_BATCH: i64 = 100;

/// A session that was just ended.
#[derive(Debug, Clone, Copy, FromRow)]
pub(crate) struct Ended {
    /// Which one.
    #[sqlx(rename = "id")]
    pub(crate) session: SessionId,
    /// Whose it was.
    #[sqlx(rename = "user_id")]
    pub(crate) user: UserId,
    /// When its newest access token was issued.
    pub(crate) issued_at: DateTime<Utc>,
}

/// Inserts a session.
pub(crate) async fn insert(conn: &mut PgConnection, session: &Session) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sessions (id, company_id, user_id, authenticated_at, issued_at, expires_at, open_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(session.id)
    .bind(session.company)
    .bind(session.user)
    .bind(session.authenticated_at)
    .bind(session.issued_at)
    .bind(session.expires_at)
    .bind(session.open_until)
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the session that a refresh token names, if there is one.
pub(crate) async fn find(pool: &PgPool, session: SessionId) -> Result<Option<Session>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "-- no company: whoever holds the token of a session proves it with the secret in it
         SELECT id, company_id, user_id, authenticated_at, issued_at, expires_at, open_until, ended_at
         FROM sessions WHERE id = $1",
    )
    .bind(session)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(Session::from))
}

/// Returns a session and locks it.
pub(crate) async fn find_for_update(
    conn: &mut PgConnection,
    company: CompanyId,
    session: SessionId,
) -> Result<Option<Session>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, company_id, user_id, authenticated_at, issued_at, expires_at, open_until, ended_at
         FROM sessions WHERE company_id = $1 AND id = $2 FOR UPDATE",
    )
    .bind(company)
    .bind(session)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Session::from))
}

/// Stores how far a session was prolonged.
pub(crate) async fn update(conn: &mut PgConnection, session: &Session) -> Result<(), Error> {
    sqlx::query("UPDATE sessions SET issued_at = $3, open_until = $4 WHERE company_id = $1 AND id = $2")
        .bind(session.company)
        .bind(session.id)
        .bind(session.issued_at)
        .bind(session.open_until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Says whether tokens that were issued at `issued_at` in this session are still good.
pub(crate) async fn is_open(
    pool: &PgPool,
    (company, session): (CompanyId, SessionId),
    issued_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    // A session that is over by itself lets its last access token live on: that is at most a quarter of an hour.
    let open = sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM sessions s
             WHERE s.company_id = $1 AND s.id = $2 AND s.ended_at IS NULL AND s.expires_at > $4
               AND NOT EXISTS (
                   SELECT FROM revocations r
                   WHERE r.company_id = $1 AND r.user_id = s.user_id AND r.issued_until >= $3))",
    )
    .bind(company)
    .bind(session)
    .bind(issued_at)
    .bind(now)
    .fetch_one(pool)
    .await?;
    Ok(open)
}

/// Ends one session; `None` when it was over already. No reason means that the user logged out.
pub(crate) async fn end(
    conn: &mut PgConnection,
    (company, session): (CompanyId, SessionId),
    reason: Option<RevocationReason>,
    now: DateTime<Utc>,
) -> Result<Option<Ended>, Error> {
    let ended = sqlx::query_as(
        "UPDATE sessions SET ended_at = $3, open_until = least(open_until, $3), end_reason = $4
         WHERE company_id = $1 AND id = $2 AND ended_at IS NULL RETURNING id, user_id, issued_at",
    )
    .bind(company)
    .bind(session)
    .bind(now)
    .bind(name(reason))
    .fetch_optional(conn)
    .await?;
    Ok(ended)
}

/// Ends every session of a user that began at or before `until`.
pub(crate) async fn end_of_user(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
    until: DateTime<Utc>,
    reason: RevocationReason,
    now: DateTime<Utc>,
) -> Result<Vec<Ended>, Error> {
    let ended = sqlx::query_as(
        "UPDATE sessions SET ended_at = $4, open_until = least(open_until, $4), end_reason = $5
         WHERE company_id = $1 AND user_id = $2 AND authenticated_at <= $3 AND ended_at IS NULL
         RETURNING id, user_id, issued_at",
    )
    .bind(company)
    .bind(user)
    .bind(until)
    .bind(now)
    .bind(name(Some(reason)))
    .fetch_all(conn)
    .await?;
    Ok(ended)
}

/// Ends every session of a company that began at or before `until`.
pub(crate) async fn end_of_company(
    conn: &mut PgConnection,
    company: CompanyId,
    until: DateTime<Utc>,
    reason: RevocationReason,
    now: DateTime<Utc>,
) -> Result<Vec<Ended>, Error> {
    let ended = sqlx::query_as(
        "UPDATE sessions SET ended_at = $3, open_until = least(open_until, $3), end_reason = $4
         WHERE company_id = $1 AND authenticated_at <= $2 AND ended_at IS NULL
         RETURNING id, user_id, issued_at",
    )
    .bind(company)
    .bind(until)
    .bind(now)
    .bind(name(Some(reason)))
    .fetch_all(conn)
    .await?;
    Ok(ended)
}

/// Deletes some of the sessions that were over before `before`; returns whether there may be more.
pub(crate) async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<bool, Error> {
    let deleted = sqlx::query(
        "-- no company: age alone decides, in every company alike
         DELETE FROM sessions WHERE id = ANY (ARRAY(
             SELECT id FROM sessions WHERE open_until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(before)
    .bind(PURGE_BATCH)
    .execute(pool)
    .await?
    .rows_affected();
    Ok(deleted == PURGE_BATCH.unsigned_abs())
}

/// The name that a reason is stored under.
const fn name(reason: Option<RevocationReason>) -> &'static str {
    match reason {
        None => "logout",
        Some(RevocationReason::TokenReuse) => "token_reuse",
        Some(RevocationReason::PasswordChanged) => "password_changed",
        Some(RevocationReason::UserDeactivated) => "user_deactivated",
        Some(RevocationReason::CompanySuspended) => "company_suspended",
        Some(RevocationReason::ByUser | RevocationReason::Unknown) => "by_user",
    }
}

#[derive(FromRow)]
struct Row {
    id: SessionId,
    company_id: CompanyId,
    user_id: UserId,
    authenticated_at: DateTime<Utc>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    open_until: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            company: row.company_id,
            user: row.user_id,
            authenticated_at: row.authenticated_at,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            open_until: row.open_until,
            ended_at: row.ended_at,
        }
    }
}
