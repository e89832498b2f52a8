//! The numbered changes that the stream to the authorization service is made from.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use taskman_ids::CompanyId;

use crate::domain::change::{Change, State};
use crate::error::Error;

/// So many changes are read at once.
const BATCH: i64 = 200;

/// Records a change under the next position and returns it. The counter stays locked until the transaction ends, so this
/// comes last.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    company: CompanyId,
    state: &State,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "WITH head AS (UPDATE iam_position SET position = position + 1 RETURNING position)
         INSERT INTO iam_changes (position, company_id, changed_at, state) SELECT position, $1, $2, $3 FROM head
         RETURNING position",
    )
    .bind(company)
    .bind(now)
    .bind(Json(state))
    .fetch_one(conn)
    .await?)
}

/// Lists the changes after `since`, in order.
pub(crate) async fn list(conn: &mut PgConnection, since: i64) -> Result<Vec<Change>, Error> {
    // no company: the authorization service decides for all of them
    let rows: Vec<(i64, CompanyId, DateTime<Utc>, Json<State>)> = sqlx::query_as(
        "SELECT position, company_id, changed_at, state FROM iam_changes WHERE position > $1 ORDER BY position LIMIT $2",
    )
    .bind(since)
    .bind(BATCH)
    .fetch_all(conn)
    .await?;
    let change = |(position, company_id, changed_at, Json(state))| Change { position, company_id, changed_at, state };
    Ok(rows.into_iter().map(change).collect())
}

/// Returns the newest position.
pub(crate) async fn head(conn: &mut PgConnection) -> Result<i64, Error> {
    // no company: one counter for all
    Ok(sqlx::query_scalar("SELECT position FROM iam_position").fetch_one(conn).await?)
}
