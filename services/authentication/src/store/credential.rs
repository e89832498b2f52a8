//! Passwords in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use taskman_ids::{CompanyId, UserId};

use crate::error::Error;

/// Returns the hash of a user's password, if there is one.
pub(crate) async fn find(conn: &mut PgConnection, company: CompanyId, user: UserId) -> Result<Option<String>, Error> {
    let hash = sqlx::query_scalar("SELECT password_hash FROM credentials WHERE company_id = $1 AND user_id = $2")
        .bind(company)
        .bind(user)
        .fetch_optional(conn)
        .await?;
    Ok(hash)
}

/// Returns the hash and locks it: whoever opens or ends the sessions of the user takes this lock, so that a login cannot
/// slip past the end of all sessions.
pub(crate) async fn find_for_update(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
) -> Result<Option<String>, Error> {
    let hash =
        sqlx::query_scalar("SELECT password_hash FROM credentials WHERE company_id = $1 AND user_id = $2 FOR UPDATE")
            .bind(company)
            .bind(user)
            .fetch_optional(conn)
            .await?;
    Ok(hash)
}

/// Says whether a user has a password that no sign-up may replace.
pub(crate) async fn is_kept(conn: &mut PgConnection, company: CompanyId, user: UserId) -> Result<bool, Error> {
    let kept = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM credentials WHERE company_id = $1 AND user_id = $2 AND NOT pending)",
    )
    .bind(company)
    .bind(user)
    .fetch_one(conn)
    .await?;
    Ok(kept)
}

/// Sets the first password of a user who is being signed up; one that is no longer pending stays.
pub(crate) async fn put_pending(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
    hash: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO credentials (company_id, user_id, password_hash, pending, created_at, changed_at)
         VALUES ($1, $2, $3, true, $4, $4)
         ON CONFLICT (company_id, user_id) DO UPDATE SET password_hash = $3, created_at = $4, changed_at = $4
         WHERE credentials.pending",
    )
    .bind(company)
    .bind(user)
    .bind(hash)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the password of a user, whether there was one or not.
pub(crate) async fn put(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
    hash: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO credentials (company_id, user_id, password_hash, pending, created_at, changed_at)
         VALUES ($1, $2, $3, false, $4, $4)
         ON CONFLICT (company_id, user_id) DO UPDATE SET password_hash = $3, pending = false, changed_at = $4",
    )
    .bind(company)
    .bind(user)
    .bind(hash)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a password was used, and takes a better hash of it where there is one.
pub(crate) async fn use_up(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
    better: Option<&str>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE credentials SET pending = false, password_hash = coalesce($3, password_hash)
         WHERE company_id = $1 AND user_id = $2",
    )
    .bind(company)
    .bind(user)
    .bind(better)
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns some of the passwords that were made before `before` and never used.
pub(crate) async fn list_pending(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(CompanyId, UserId)>, Error> {
    let rows = sqlx::query_as(
        // no company: the job looks at everybody's
        "SELECT company_id, user_id FROM credentials WHERE pending AND created_at < $1 ORDER BY created_at LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Keeps a password that was never used, because its user exists.
pub(crate) async fn keep(pool: &PgPool, company: CompanyId, user: UserId) -> Result<(), Error> {
    sqlx::query("UPDATE credentials SET pending = false WHERE company_id = $1 AND user_id = $2")
        .bind(company)
        .bind(user)
        .execute(pool)
        .await?;
    Ok(())
}

/// Deletes a password that was never used.
pub(crate) async fn delete_pending(
    pool: &PgPool,
    (company, user): (CompanyId, UserId),
    before: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM credentials WHERE company_id = $1 AND user_id = $2 AND pending AND created_at < $3")
        .bind(company)
        .bind(user)
        .bind(before)
        .execute(pool)
        .await?;
    Ok(())
}
