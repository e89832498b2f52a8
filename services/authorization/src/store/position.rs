//! How far each stream has been written, and when it was complete.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::position::Stream;
use crate::error::Error;

/// The row of a stream.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(crate) struct Position {
    /// Up to where changes have been written.
    pub(crate) position: i64,
    /// When that was all that there was, if it ever was.
    pub(crate) fresh_at: Option<DateTime<Utc>>,
}

/// Returns the row of a stream.
pub(crate) async fn get(conn: &mut PgConnection, stream: Stream) -> Result<Position, Error> {
    // no company: one counter for all
    Ok(sqlx::query_as("SELECT position, fresh_at FROM positions WHERE stream = $1")
        .bind(stream.as_str())
        .fetch_one(conn)
        .await?)
}

/// Returns how far a stream has been written, and keeps others from writing it until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, stream: Stream) -> Result<i64, Error> {
    // no company: one counter for all
    Ok(sqlx::query_scalar("SELECT position FROM positions WHERE stream = $1 FOR UPDATE")
        .bind(stream.as_str())
        .fetch_one(conn)
        .await?)
}

/// Says how far a stream has been written; its row is locked.
pub(crate) async fn update(conn: &mut PgConnection, stream: Stream, position: i64) -> Result<(), Error> {
    // no company: one counter for all
    sqlx::query("UPDATE positions SET position = $2 WHERE stream = $1")
        .bind(stream.as_str())
        .bind(position)
        .execute(conn)
        .await?;
    Ok(())
}

/// Says that what was written up to `position` was complete at `fresh_at`. What another replica knows better stays.
pub(crate) async fn update_freshness(
    conn: &mut PgConnection,
    stream: Stream,
    position: i64,
    fresh_at: DateTime<Utc>,
) -> Result<(), Error> {
    // no company: one counter for all
    sqlx::query(
        "UPDATE positions SET fresh_at = $3
         WHERE stream = $1 AND position >= $2 AND (fresh_at IS NULL OR fresh_at < $3)",
    )
    .bind(stream.as_str())
    .bind(position)
    .bind(fresh_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says that nothing of a stream is written any more; its row is locked.
pub(crate) async fn reset(conn: &mut PgConnection, stream: Stream) -> Result<(), Error> {
    // no company: one counter for all
    sqlx::query("UPDATE positions SET position = 0, fresh_at = NULL WHERE stream = $1")
        .bind(stream.as_str())
        .execute(conn)
        .await?;
    Ok(())
}
