//! Counters of attempts in PostgreSQL.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use taskman_ids::CompanyId;

use crate::domain::throttle::{Counter, Scope};
use crate::error::Error;

const PURGE_BATCH: i64 = 1_000;

/// Names a counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    /// What is counted.
    pub(crate) scope: Scope,
    /// The keyed hash of whom it is counted for.
    pub(crate) key: [u8; 32],
    /// The account's company, where it is known.
    pub(crate) company: CompanyId,
}

/// Returns counters in the order of `names` and locks them; those that are missing or forgotten are made.
pub(crate) async fn lock<const N: usize>(
    conn: &mut PgConnection,
    names: &[Name; N],
    now: DateTime<Utc>,
) -> Result<[Counter; N], Error> {
    let (keys, companies) = columns(names);
    // In the order of keys, as everybody locks them.
    sqlx::query(
        "INSERT INTO login_throttles (key, company_id, failures, forget_at)
         SELECT key, company_id, 0, $3 FROM unnest($1::bytea[], $2::uuid[]) AS named (key, company_id) ORDER BY key
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(&keys)
    .bind(&companies)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "-- no company: an attempt belongs to a network and a typed address before anybody knows the company
         SELECT key, failures, blocked_until, succeeded_at, forget_at FROM login_throttles
         WHERE key = ANY ($1) ORDER BY key FOR UPDATE",
    )
    .bind(&keys)
    .fetch_all(conn)
    .await?;
    let mut rows: HashMap<Vec<u8>, Row> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    Ok(names.map(|name| match rows.remove(name.key.as_slice()) {
        Some(row) if now < row.forget_at => row.counter(name.scope),
        _ => Counter::new(name.scope),
    }))
}

/// Stores counters that were locked before.
pub(crate) async fn update<const N: usize>(
    conn: &mut PgConnection,
    names: &[Name; N],
    counters: &[&Counter; N],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (keys, companies) = columns(names);
    sqlx::query(
        // no company: the key is a hash of who is counted, and an unknown account has no company
        "UPDATE login_throttles t
         SET company_id = new.company_id, failures = new.failures, blocked_until = new.blocked_until,
             succeeded_at = new.succeeded_at, forget_at = new.forget_at
         FROM unnest($1::bytea[], $2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
              AS new (key, company_id, failures, blocked_until, succeeded_at, forget_at)
         WHERE t.key = new.key",
    )
    .bind(&keys)
    .bind(&companies)
    .bind(counters.map(|counter| counter.failures).as_slice())
    .bind(counters.map(|counter| counter.blocked_until).as_slice())
    .bind(counters.map(|counter| counter.succeeded_at).as_slice())
    .bind(counters.map(|counter| counter.forget_at(now)).as_slice())
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a counter.
pub(crate) async fn delete(conn: &mut PgConnection, name: &Name) -> Result<(), Error> {
    sqlx::query("DELETE FROM login_throttles WHERE company_id = $1 AND key = $2")
        .bind(name.company)
        .bind(name.key.as_slice())
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes some of the counters that do not matter any more; returns whether there may be more.
pub(crate) async fn purge(pool: &PgPool, now: DateTime<Utc>) -> Result<bool, Error> {
    let deleted = sqlx::query(
        "-- no company: age alone decides, in every company alike
         DELETE FROM login_throttles WHERE key = ANY (ARRAY(
             SELECT key FROM login_throttles WHERE forget_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(now)
    .bind(PURGE_BATCH)
    .execute(pool)
    .await?
    .rows_affected();
    Ok(deleted == PURGE_BATCH.unsigned_abs())
}

fn columns(names: &[Name]) -> (Vec<Vec<u8>>, Vec<CompanyId>) {
    names.iter().map(|name| (name.key.to_vec(), name.company)).unzip()
}

#[derive(FromRow)]
struct Row {
    key: Vec<u8>,
    failures: i32,
    blocked_until: Option<DateTime<Utc>>,
    succeeded_at: Option<DateTime<Utc>>,
    forget_at: DateTime<Utc>,
}

impl Row {
    const fn counter(&self, scope: Scope) -> Counter {
        Counter { scope, failures: self.failures, blocked_until: self.blocked_until, succeeded_at: self.succeeded_at }
    }
}
