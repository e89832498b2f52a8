//! Users whose sessions the authentication service still has to end.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::{CompanyId, UserId};

use crate::error::Error;

/// A user whose sessions must end.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Pending {
    pub(crate) user_id: UserId,
    pub(crate) company_id: CompanyId,
    pub(crate) reason: String,
    pub(crate) created_at: DateTime<Utc>,
}

/// Notes that the sessions of a user must end.
pub(crate) async fn insert(conn: &mut PgConnection, pending: &Pending) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO pending_revocations (user_id, company_id, reason, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO NOTHING",
    )
    .bind(pending.user_id)
    .bind(pending.company_id)
    .bind(&pending.reason)
    .bind(pending.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets whatever is noted: the user may have sessions again.
pub(crate) async fn delete(conn: &mut PgConnection, company: CompanyId, user: UserId) -> Result<(), Error> {
    sqlx::query("DELETE FROM pending_revocations WHERE company_id = $1 AND user_id = $2")
        .bind(company)
        .bind(user)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets exactly this note: a newer deactivation of the same user has one of its own.
pub(crate) async fn delete_asked(conn: &mut PgConnection, pending: &Pending) -> Result<(), Error> {
    sqlx::query("DELETE FROM pending_revocations WHERE company_id = $1 AND user_id = $2 AND created_at = $3")
        .bind(pending.company_id)
        .bind(pending.user_id)
        .bind(pending.created_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lists up to 100 notes, oldest first.
pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<Pending>, Error> {
    // no company: the job takes up everybody's
    Ok(sqlx::query_as(
        "SELECT user_id, company_id, reason, created_at FROM pending_revocations ORDER BY created_at LIMIT 100",
    )
    .fetch_all(conn)
    .await?)
}
