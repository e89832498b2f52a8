//! The tables of notifications and of the attempts to send them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use taskman_events::Origin;
use taskman_ids::{CompanyId, NotificationId, UserId};
use taskman_paging::PageSize;
use uuid::Uuid;

use crate::domain::notification::{Intent, Notification, Status};
use crate::error::Error;

const COLUMNS: &str = "id, company_id, recipient_id, template, variables, link_request_id, subject, status, error,
    attempts, request_id, traceparent, tracestate, created_at, sent_at";

/// Where a list goes on: after this notification.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Position {
    created_at: DateTime<Utc>,
    id: NotificationId,
}

impl From<&Notification> for Position {
    fn from(notification: &Notification) -> Self {
        Self { created_at: notification.created_at, id: notification.id }
    }
}

/// Inserts what is asked for; asked a second time, nothing happens.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: NotificationId,
    intent: &Intent,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO notification_logs (id, company_id, type, recipient_id, template, variables, link_request_id,
                                        source_id, request_id, traceparent, tracestate, created_at, next_attempt_at)
         VALUES ($1, $2, 'email', $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
         ON CONFLICT ON CONSTRAINT notification_logs_source DO NOTHING",
    )
    .bind(id)
    .bind(intent.company)
    .bind(intent.recipient)
    .bind(intent.template)
    .bind(Json(&intent.variables))
    .bind(intent.link)
    .bind(intent.source)
    .bind(origin.request_id.map(Uuid::from))
    .bind(&origin.traceparent)
    .bind(&origin.tracestate)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes up to `limit` notifications that are due, oldest first, and counts the attempt. They come due again after
/// `lease`, should the sender die.
///
/// A lease is told by the database's clock, so that replicas whose clocks differ agree about it.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    limit: i64,
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Vec<Notification>, Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "-- no company: the sender works for all of them
         UPDATE notification_logs SET status = 'sending', attempts = attempts + 1,
                next_attempt_at = clock_timestamp() + make_interval(secs => ",
    );
    query.push_bind(lease.as_secs_f64());
    // The first bound is for the index, the second one is the rule.
    query.push(
        ") WHERE id IN (SELECT id FROM notification_logs WHERE status IN ('pending', 'sending')
                          AND next_attempt_at <= greatest(statement_timestamp(), ",
    );
    query.push_bind(now).push(") AND next_attempt_at <= CASE status WHEN 'sending' THEN statement_timestamp() ELSE ");
    query.push_bind(now).push(" END ORDER BY next_attempt_at LIMIT ").push_bind(limit);
    query.push(" FOR UPDATE SKIP LOCKED) RETURNING ").push(COLUMNS);
    Ok(query.build_query_as().fetch_all(conn).await?)
}

/// Stores how an attempt ended, and the attempt itself; refused when another sender has taken the mail over since.
pub(crate) async fn update(
    conn: &mut PgConnection,
    notification: &Notification,
    next_attempt_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let updated = sqlx::query(
        "UPDATE notification_logs SET status = $3, subject = $4, error = $5, sent_at = $6,
                next_attempt_at = COALESCE($7, next_attempt_at)
         WHERE company_id = $1 AND id = $2 AND status = 'sending' AND attempts = $8",
    )
    .bind(notification.company_id)
    .bind(notification.id)
    .bind(notification.status)
    .bind(&notification.subject)
    .bind(&notification.error)
    .bind(notification.sent_at)
    .bind(next_attempt_at)
    .bind(notification.attempts)
    .execute(&mut *conn)
    .await?;
    if updated.rows_affected() == 0 {
        return Err(Error::TakenOver);
    }
    let outcome = if notification.error.is_empty() { "sent" } else { notification.error.as_str() };
    sqlx::query(
        "INSERT INTO notification_attempts (notification_id, company_id, attempt, outcome, at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(notification.id)
    .bind(notification.company_id)
    .bind(notification.attempts)
    .bind(outcome)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists what was sent to a recipient, newest first, one more than the page holds.
pub(crate) async fn list(
    conn: &mut PgConnection,
    company: CompanyId,
    recipient: UserId,
    status: Option<Status>,
    after: Option<&Position>,
    size: PageSize,
) -> Result<Vec<Notification>, Error> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(" FROM notification_logs WHERE company_id = ").push_bind(company);
    query.push(" AND recipient_id = ").push_bind(recipient);
    if let Some(status) = status {
        query.push(" AND status = ").push_bind(status);
    }
    if let Some(after) = after {
        query.push(" AND (created_at, id) < (").push_bind(after.created_at).push(", ").push_bind(after.id).push(")");
    }
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(size.limit());
    Ok(query.build_query_as().fetch_all(conn).await?)
}
