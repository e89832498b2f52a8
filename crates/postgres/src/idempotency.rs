//! Remembered replies: a mutating call that is repeated with its key gets its first reply, and acts once.
//!
//! [`begin`] and [`complete`] run in the transaction of the change, so a reply is remembered exactly when the change is.
//! Validation comes before `begin` and is not remembered; a call that was rolled back is fresh again. What is stored is
//! the encoded reply; a method whose reply is secret stores only what it needs to make the reply again (ids), or nothing.
//!
//! Every service that has mutating methods creates the table [`DDL`] in its own migrations.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use taskman_errors::{Failure, Kind};
use taskman_ids::{CompanyId, UserId};
use uuid::Uuid;

use crate::{Db, Error};

/// The table, word for word as each service's migration creates it.
pub const DDL: &str = include_str!("../ddl/idempotency.sql");

/// How long replies are remembered.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

const PURGE_BATCH: i64 = 1_000;
const PURGE_BATCHES: usize = 1_000;

/// Which call it is: the same values mean the same call.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The caller's company; none for calls before there is one (sign-up).
    pub company: Option<CompanyId>,
    /// The caller; none for calls without a user.
    pub caller: Option<UserId>,
    /// The full name of the method.
    pub method: &'a str,
    /// The `request_id` that the client chose.
    pub request_id: Uuid,
    /// The hash of the request without its `request_id`.
    pub request_hash: [u8; 32],
}

impl Key<'_> {
    fn company(&self) -> Uuid {
        self.company.map_or(Uuid::nil(), Uuid::from)
    }

    fn caller(&self) -> Uuid {
        self.caller.map_or(Uuid::nil(), Uuid::from)
    }

    /// The number of the advisory lock. Two keys with one number only wait for each other.
    fn lock(&self) -> i64 {
        let mut hash = Sha256::new();
        hash.update(b"idempotency\0");
        hash.update(self.company().as_bytes());
        hash.update(self.caller().as_bytes());
        hash.update(self.request_id.as_bytes());
        hash.update(self.method.as_bytes());
        hash.finalize().iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }
}

/// Hashes an encoded request for [`Key::request_hash`].
pub fn hash(request: &[u8]) -> [u8; 32] {
    Sha256::digest(request).into()
}

/// What a call has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Nothing is remembered: act, then [`complete`] in the same transaction.
    Fresh,
    /// The call was made before, and this was the reply: give it again and change nothing.
    Replay(Vec<u8>),
}

/// Says why a call can neither act nor be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The key came before with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The same call is being made right now.
    #[error("a call with the same idempotency key is still running")]
    InFlight,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::KeyReused => Kind::Invalid,
            Self::InFlight => Kind::Stale,
            Self::Database(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::InFlight => "REQUEST_IN_FLIGHT",
            Self::Database(error) => error.reason(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::KeyReused => None,
            Self::InFlight => Some(Duration::from_millis(500)),
            Self::Database(error) => error.retry_after(),
        }
    }
}

/// Claims `key` until the transaction ends, and looks up what is remembered of it.
pub async fn begin(tx: &mut PgConnection, key: &Key<'_>, now: DateTime<Utc>) -> Result<Begin, Refusal> {
    // no company: the company is part of the lock's number
    let claimed: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(key.lock()).fetch_one(&mut *tx).await?;
    if !claimed {
        return Err(Refusal::InFlight);
    }
    // A statement of its own: its snapshot is younger than the lock, so the former holder's row is seen.
    let remembered: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT request_hash, reply FROM idempotency_keys
         WHERE company_id = $1 AND caller_id = $2 AND method = $3 AND request_id = $4 AND created_at > $5",
    )
    .bind(key.company())
    .bind(key.caller())
    .bind(key.method)
    .bind(key.request_id)
    .bind(now - KEPT)
    .fetch_optional(tx)
    .await?;
    match remembered {
        None => Ok(Begin::Fresh),
        Some((hash, reply)) if hash == key.request_hash => Ok(Begin::Replay(reply)),
        Some(_) => Err(Refusal::KeyReused),
    }
}

/// Remembers the reply of a fresh call.
pub async fn complete(tx: &mut PgConnection, key: &Key<'_>, reply: &[u8], now: DateTime<Utc>) -> Result<(), Error> {
    // A row that is in the way is older than a day: `begin` did not see it, and the lock keeps others out.
    sqlx::query(
        "INSERT INTO idempotency_keys (company_id, caller_id, method, request_id, request_hash, reply, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (company_id, caller_id, method, request_id)
         DO UPDATE SET request_hash = $5, reply = $6, created_at = $7",
    )
    .bind(key.company())
    .bind(key.caller())
    .bind(key.method)
    .bind(key.request_id)
    .bind(key.request_hash.as_slice())
    .bind(reply)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets replies that are older than a day, in small batches; returns how many.
pub async fn purge(db: &Db, now: DateTime<Utc>) -> Result<u64, Error> {
    let mut forgotten = 0;
    for _ in 0..PURGE_BATCHES {
        // no company: age alone decides, in every company alike
        let batch = sqlx::query(
            "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM idempotency_keys WHERE created_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
        )
        .bind(now - KEPT)
        .bind(PURGE_BATCH)
        .execute(db.primary())
        .await?
        .rows_affected();
        forgotten += batch;
        if batch < PURGE_BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(forgotten)
}
