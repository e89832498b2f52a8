//! The relay's statements. Times are the database's, so that replicas with different clocks agree about leases.

use std::time::Duration;

use sqlx::{FromRow, PgConnection, PgPool};
use taskman_postgres::Db;
use uuid::Uuid;

use super::line::Outcome;
use crate::{Config, Error};

/// A claimed event.
#[derive(Debug, FromRow)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) company_id: Uuid,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) payload: Vec<u8>,
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
    pub(super) producer_seq: i64,
}

/// Claims the oldest events that are due, and numbers those that are claimed for the first time.
///
/// Rows are found by their state, never by being newer than the last: transactions commit in another order than their
/// rows were made. The head row is locked first, so that numbers are given by one relay at a time and each exists only
/// together with its event.
pub(super) async fn claim(db: &Db, config: &Config) -> Result<Vec<Row>, Error> {
    if !any_due(db.primary()).await? {
        return Ok(Vec::new());
    }
    let mut tx = db.begin().await?;
    // no company: the relay publishes for all companies of the service
    let head: i64 = sqlx::query_scalar("SELECT producer_seq FROM outbox_head FOR UPDATE").fetch_one(&mut *tx).await?;
    let mut rows = claim_after(&mut tx, head, config).await?;
    rows.sort_unstable_by_key(|row| row.producer_seq);
    if let Some(last) = rows.last().filter(|last| last.producer_seq > head) {
        // no company: the head belongs to the service
        sqlx::query("UPDATE outbox_head SET producer_seq = $1").bind(last.producer_seq).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(rows)
}

async fn claim_after(conn: &mut PgConnection, head: i64, config: &Config) -> Result<Vec<Row>, Error> {
    // no company: the relay publishes for all companies of the service
    let rows = sqlx::query_as(
        "WITH due AS (
             SELECT id, producer_seq, next_attempt_at FROM outbox
             WHERE published_at IS NULL AND next_attempt_at <= clock_timestamp()
             ORDER BY next_attempt_at, id
             LIMIT $1
             FOR UPDATE SKIP LOCKED
         ), numbered AS (
             SELECT id, COALESCE(producer_seq, $2 + count(*) FILTER (WHERE producer_seq IS NULL)
                                                    OVER (ORDER BY next_attempt_at, id)) AS producer_seq
             FROM due
         )
         UPDATE outbox AS event
         SET producer_seq = numbered.producer_seq,
             attempts = event.attempts + 1,
             next_attempt_at = clock_timestamp() + make_interval(secs => $3)
         FROM numbered
         WHERE event.id = numbered.id
         RETURNING event.id, event.company_id, event.exchange, event.routing_key, event.payload, event.traceparent,
                   event.tracestate, event.producer_seq",
    )
    .bind(i64::from(config.claim))
    .bind(head)
    .bind(Duration::from_millis(config.lease_ms).as_secs_f64())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Looks whether there is anything to claim, without locking.
async fn any_due(pool: &PgPool) -> Result<bool, Error> {
    // no company: the relay publishes for all companies of the service
    let due = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND next_attempt_at <= clock_timestamp())",
    );
    Ok(due.fetch_one(pool).await?)
}

/// Marks what is published, puts off what was refused, and lets come due at once what nobody knows the fate of.
pub(super) async fn settle(pool: &PgPool, outcome: Outcome, config: &Config) -> Result<(), Error> {
    if !outcome.published.is_empty() {
        // no company: the relay publishes for all companies of the service
        sqlx::query("UPDATE outbox SET published_at = clock_timestamp(), last_error = NULL WHERE id = ANY($1)")
            .bind(&outcome.published)
            .execute(pool)
            .await?;
    }
    if !outcome.refused.is_empty() {
        put_off(pool, &outcome, config).await?;
    }
    if !outcome.unknown.is_empty() {
        // no company: the relay publishes for all companies of the service
        sqlx::query(
            "UPDATE outbox SET next_attempt_at = clock_timestamp() WHERE id = ANY($1) AND published_at IS NULL",
        )
        .bind(&outcome.unknown)
        .execute(pool)
        .await?;
    }
    Ok(())
}

/// Puts off refused events: the pause doubles with each attempt.
async fn put_off(pool: &PgPool, outcome: &Outcome, config: &Config) -> Result<(), Error> {
    let ids: Vec<Uuid> = outcome.refused.iter().map(|refusal| refusal.id).collect();
    let reasons: Vec<&str> = outcome.refused.iter().map(|refusal| refusal.reason).collect();
    let [least, greatest] = config.refused_ms.map(|ms| Duration::from_millis(ms).as_secs_f64());
    // no company: the relay publishes for all companies of the service
    sqlx::query(
        "UPDATE outbox AS event
         SET last_error = refusal.reason,
             next_attempt_at = clock_timestamp()
                 + make_interval(secs => least($3 * power(2, least(event.attempts - 1, 20)), $4))
         FROM unnest($1::uuid[], $2::text[]) AS refusal (id, reason)
         WHERE event.id = refusal.id",
    )
    .bind(&ids)
    .bind(&reasons)
    .bind(least)
    .bind(greatest)
    .execute(pool)
    .await?;
    Ok(())
}
