//! Dead letters: messages that could not be applied, in a table, so that looking at them never consumes them.
//!
//! They arrive through the queue `dlq.<queue>`, where consumers put them, and where the broker puts what crashed its
//! consumers too often. A replay goes to the queue that failed and to no other.

mod collect;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgPool};
use taskman_events::Envelope;
use taskman_ids::{CompanyId, EventId};
use uuid::Uuid;

pub(crate) use self::collect::collect;
use crate::broker::Publisher;
use crate::headers::Headers;
use crate::{Config, Error};

/// The most that one list returns.
const LIST_LIMIT: i64 = 200;

/// A message that could not be applied.
#[derive(Debug, Clone, FromRow)]
pub struct DeadLetter {
    /// Names the dead letter.
    pub id: Uuid,
    /// The queue that failed.
    pub consumer: String,
    /// The id of the message, usually that of the event.
    pub message_id: String,
    /// The company that the event belongs to; [`taskman_events::NO_COMPANY`] where nobody can tell.
    pub company_id: CompanyId,
    /// The event, where the message is one.
    pub event_id: Option<EventId>,
    /// What it was published as.
    pub routing_key: String,
    /// `poison`, `permanent`, `exhausted` or `crash_loop`.
    pub class: String,
    /// The stable reason.
    pub reason: String,
    /// The error's own words.
    pub detail: String,
    /// Equal for failures that look alike.
    pub fingerprint: String,
    /// How often it was tried.
    pub attempts: i32,
    /// How often it has arrived here.
    pub times: i32,
    /// When it failed first.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// When it failed last.
    pub last_failed_at: Option<DateTime<Utc>>,
    /// The version of the program that failed.
    pub version: Option<String>,
    /// The trace of the event.
    pub traceparent: Option<String>,
    /// The headers it had.
    pub headers: Value,
    /// The message, byte by byte.
    pub payload: Vec<u8>,
    /// `dead`, `replayed` or `discarded`.
    pub state: String,
    /// When it arrived here last.
    pub arrived_at: DateTime<Utc>,
    /// When somebody decided about it.
    pub decided_at: Option<DateTime<Utc>>,
}

/// Which dead letters to look at; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this queue.
    pub consumer: Option<String>,
    /// Of this company.
    pub company: Option<CompanyId>,
    /// With this routing key.
    pub routing_key: Option<String>,
    /// With this reason.
    pub reason: Option<String>,
    /// Alike in this way.
    pub fingerprint: Option<String>,
    /// That arrived before this one: where a page ended.
    pub before: Option<DateTime<Utc>>,
}

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many went back to their queues.
    pub sent: usize,
    /// How many were asked for and not dead any more.
    pub skipped: usize,
}

/// Lists what is dead, newest first, at most 200.
pub async fn list(pool: &PgPool, filter: &Filter, limit: u16) -> Result<Vec<DeadLetter>, Error> {
    // no company: an operator's view; a company's own is the filter
    let letters = sqlx::query_as(
        "SELECT * FROM dead_letters
         WHERE state = 'dead'
           AND ($1::text IS NULL OR consumer = $1)
           AND ($2::uuid IS NULL OR company_id = $2)
           AND ($3::text IS NULL OR routing_key = $3)
           AND ($4::text IS NULL OR reason = $4)
           AND ($5::text IS NULL OR fingerprint = $5)
           AND ($6::timestamptz IS NULL OR arrived_at < $6)
         ORDER BY arrived_at DESC, id
         LIMIT $7",
    )
    .bind(filter.consumer.as_deref())
    .bind(filter.company)
    .bind(filter.routing_key.as_deref())
    .bind(filter.reason.as_deref())
    .bind(filter.fingerprint.as_deref())
    .bind(filter.before)
    .bind(i64::from(limit).min(LIST_LIMIT))
    .fetch_all(pool)
    .await?;
    Ok(letters)
}

/// Finds one, in whatever state.
pub async fn find(pool: &PgPool, id: Uuid) -> Result<Option<DeadLetter>, Error> {
    // no company: an operator's view
    Ok(sqlx::query_as("SELECT * FROM dead_letters WHERE id = $1").bind(id).fetch_optional(pool).await?)
}

/// Gives one up for good; `false` when it is not dead any more.
pub async fn discard(pool: &PgPool, id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    // no company: an operator's decision
    let done =
        sqlx::query("UPDATE dead_letters SET state = 'discarded', decided_at = $2 WHERE id = $1 AND state = 'dead'")
            .bind(id)
            .bind(now)
            .execute(pool)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Puts dead letters back into the queues that failed on them, with a fresh count of attempts, at most `per_second`.
///
/// The inbox keeps an event that was applied meanwhile from being applied again.
pub async fn replay(
    pool: &PgPool,
    config: &Config,
    service: &str,
    ids: &[Uuid],
    per_second: u16,
    now: DateTime<Utc>,
) -> Result<Replayed, Error> {
    let publisher = Publisher::new(config.clone(), format!("{service}: replay"));
    let mut pace = tokio::time::interval(Duration::from_secs(1) / u32::from(per_second.max(1)));
    let mut replayed = Replayed { sent: 0, skipped: 0 };
    for id in ids {
        pace.tick().await;
        if replay_one(pool, &publisher, *id, now).await? {
            replayed.sent += 1;
        } else {
            replayed.skipped += 1;
        }
    }
    Ok(replayed)
}

/// Sends one while its row is locked: should it come back at once, it arrives after it was marked as replayed.
async fn replay_one(pool: &PgPool, publisher: &Publisher, id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    let mut tx = pool.begin().await?;
    // no company: an operator's decision
    let letter: Option<DeadLetter> = sqlx::query_as(
        "UPDATE dead_letters SET state = 'replayed', decided_at = $2 WHERE id = $1 AND state = 'dead' RETURNING *",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(letter) = letter else { return Ok(false) };
    let properties = Headers::from_json(&letter.headers).without_failures().into_properties(&letter.message_id);
    publisher.send(&letter.consumer, properties, &letter.payload).await?;
    tx.commit().await?;
    Ok(true)
}

impl DeadLetter {
    /// Returns the envelope, where the message is an event.
    pub fn envelope(&self) -> Option<Envelope> {
        Envelope::decode(&self.payload).ok()
    }
}
