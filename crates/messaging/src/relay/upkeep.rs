//! What goes on beside publishing: the backlog's metrics, and forgetting what is old enough.

use std::time::Duration;

use sqlx::PgPool;
use taskman_postgres::Db;
use tokio::time::{MissedTickBehavior, interval};

use crate::{Config, Error};

/// How often the backlog is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// How often old rows are looked for, in measurements.
const PURGE_EVERY: u32 = 120;
/// How many rows one statement deletes.
const PURGE_ROWS: i64 = 5_000;
/// How many statements one look for old rows runs, per table.
const PURGE_ROUNDS: u32 = 40;

/// Measures and purges for as long as it is polled.
pub(super) async fn run(db: &Db, config: &Config, service: &'static str) {
    let mut ticks = interval(MEASURE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 1_u32.. {
        ticks.tick().await;
        let mut result = measure(db.primary(), service).await;
        if tick.is_multiple_of(PURGE_EVERY) {
            result = result.and(purge(db.primary(), config).await.map(|_| ()));
        }
        if let Err(error) = result {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "the outbox could not be measured");
        }
    }
}

async fn measure(pool: &PgPool, service: &'static str) -> Result<(), Error> {
    // no company: measures the service's events of all companies
    let (backlog, oldest): (f64, f64) = sqlx::query_as(
        "SELECT count(*)::float8,
                COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - min(created_at)), 0)::float8
         FROM outbox WHERE published_at IS NULL",
    )
    .fetch_one(pool)
    .await?;
    metrics::gauge!("taskman_outbox_backlog", "service" => service).set(backlog);
    metrics::gauge!("taskman_outbox_oldest_unpublished_seconds", "service" => service).set(oldest.max(0.0));
    // no company: measures the service's messages of all companies
    let (dead, oldest): (f64, f64) = sqlx::query_as(
        "SELECT count(*)::float8,
                COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - min(arrived_at)), 0)::float8
         FROM dead_letters WHERE state = 'dead'",
    )
    .fetch_one(pool)
    .await?;
    metrics::gauge!("taskman_dlq_depth", "service" => service).set(dead);
    metrics::gauge!("taskman_dlq_oldest_seconds", "service" => service).set(oldest.max(0.0));
    Ok(())
}

/// Deletes what is past its retention, a bounded number each time, and returns how much: published events, inbox rows,
/// dead letters that were decided about. The relay does it every ten minutes.
pub async fn purge(pool: &PgPool, config: &Config) -> Result<u64, Error> {
    // no company: retention is the same for all companies
    const OUTBOX: &str = "DELETE FROM outbox WHERE id IN (
         SELECT id FROM outbox WHERE published_at < clock_timestamp() - make_interval(days => $1) LIMIT $2)";
    // no company: retention is the same for all companies
    const INBOX: &str = "DELETE FROM inbox WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM inbox WHERE received_at < clock_timestamp() - make_interval(days => $1) LIMIT $2))";
    // no company: retention is the same for all companies
    const DEAD_LETTERS: &str = "DELETE FROM dead_letters WHERE id IN (
         SELECT id FROM dead_letters
         WHERE state <> 'dead' AND decided_at < clock_timestamp() - make_interval(days => $1) LIMIT $2)";
    let tables =
        [(OUTBOX, config.keep_published_days), (INBOX, config.keep_inbox_days), (DEAD_LETTERS, config.keep_inbox_days)];
    let mut deleted = 0;
    for (statement, days) in tables {
        for _ in 0..PURGE_ROUNDS {
            let round = sqlx::query(statement).bind(i32::from(days)).bind(PURGE_ROWS).execute(pool).await?;
            deleted += round.rows_affected();
            if round.rows_affected() == 0 {
                break;
            }
        }
    }
    Ok(deleted)
}
