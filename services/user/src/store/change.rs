//! The numbered changes that the stream to the authorization service is made from.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::{CompanyId, UserId};

use crate::domain::company::Status;
use crate::error::Error;

/// So many changes are read at once.
const BATCH: i64 = 500;

/// A change with the state of the user as it is now.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Change {
    pub(crate) position: i64,
    pub(crate) changed_at: DateTime<Utc>,
    pub(crate) user_id: UserId,
    pub(crate) company_id: CompanyId,
    pub(crate) email: String,
    pub(crate) department: String,
    pub(crate) location: String,
    pub(crate) is_active: bool,
    pub(crate) version: i32,
    pub(crate) company_status: Status,
}

/// Records that a user changed, under the next position. The counter stays locked until the transaction ends.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "WITH head AS (UPDATE user_position SET position = position + 1 RETURNING position)
         INSERT INTO user_changes (position, company_id, user_id, changed_at) SELECT position, $1, $2, $3 FROM head",
    )
    .bind(company)
    .bind(user)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the changes after `since`, in order.
pub(crate) async fn list(conn: &mut PgConnection, since: i64) -> Result<Vec<Change>, Error> {
    // no company: the authorization service decides for all of them
    Ok(sqlx::query_as(
        "SELECT h.position, h.changed_at, u.id AS user_id, u.company_id, u.email, u.department, u.location, u.is_active,
                u.version, c.status AS company_status
         FROM user_changes h JOIN users u ON u.id = h.user_id JOIN companies c ON c.id = u.company_id
         WHERE h.position > $1 ORDER BY h.position LIMIT $2",
    )
    .bind(since)
    .bind(BATCH)
    .fetch_all(conn)
    .await?)
}

/// Returns the newest position.
pub(crate) async fn head(conn: &mut PgConnection) -> Result<i64, Error> {
    // no company: one counter for all
    Ok(sqlx::query_scalar("SELECT position FROM user_position").fetch_one(conn).await?)
}
