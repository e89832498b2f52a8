//! Copies dead letters from their queue into the table.

use chrono::{DateTime, Utc};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use taskman_errors::Failure as _;
use taskman_events::{Envelope, NO_COMPANY};
use taskman_ids::{CompanyId, EventId};
use taskman_postgres::Db;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::consumer::{Deliveries, hex, message_id};
use crate::headers::{self, Headers, without_nul};
use crate::{Config, Error};

/// The classes of messages that are given up, as the table knows them.
const CLASSES: [&str; 4] = ["poison", "permanent", "exhausted", "crash_loop"];
/// The reason of a message that the broker has given up.
const DELIVERY_LIMIT: &str = "DELIVERY_LIMIT";

/// Stores what arrives until `stop`, or until the connection breaks. While the database is away, letters wait.
pub(crate) async fn collect(
    db: &Db,
    config: &Config,
    consumer: &'static str,
    mut deliveries: Deliveries,
    stop: &CancellationToken,
) -> Result<(), Error> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            next = deliveries.stream.next() => next.ok_or(Error::Ended)??,
        };
        let arrival = Arrival::of(consumer, &delivery);
        let mut backoff = config.reconnect();
        while let Err(error) = arrival.store(db.primary()).await {
            // A letter that the database refuses as it is must not hold up those behind it.
            if !error.kind().is_transient() && arrival.store_bare(db.primary(), &error).await.is_ok() {
                break;
            }
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                messaging.queue = consumer,
                "a dead letter waits for the database"
            );
            tokio::select! {
                () = backoff.sleep() => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
        delivery.ack(BasicAckOptions::default()).await?;
    }
}

/// A dead letter that has just arrived.
struct Arrival<'a> {
    consumer: &'static str,
    message_id: String,
    envelope: Option<Envelope>,
    headers: Headers,
    delivery: &'a Delivery,
}

/// What is told of a dead letter beside the message.
struct Row<'a> {
    event_id: Option<EventId>,
    routing_key: String,
    class: &'a str,
    reason: &'a str,
    detail: &'a str,
    fingerprint: String,
    attempts: i32,
    first_failed_at: Option<DateTime<Utc>>,
    last_failed_at: Option<DateTime<Utc>>,
    version: Option<String>,
    traceparent: Option<String>,
    headers: Value,
}

impl<'a> Arrival<'a> {
    fn of(consumer: &'static str, delivery: &'a Delivery) -> Self {
        Self {
            consumer,
            message_id: without_nul(message_id(delivery)),
            envelope: Envelope::decode(&delivery.data).ok(),
            headers: Headers::of(&delivery.properties),
            delivery,
        }
    }

    /// Stores the letter with its story.
    async fn store(&self, pool: &PgPool) -> Result<(), Error> {
        let text = |name: &str| self.headers.text(name).map(without_nul);
        let (class, reason, detail) = verdict(text(headers::CLASS), text(headers::REASON), text(headers::DETAIL));
        let routing_key = self.routing_key();
        let row = Row {
            event_id: self.envelope.as_ref().map(|envelope| envelope.id),
            class: &class,
            reason: &reason,
            detail: &detail,
            fingerprint: fingerprint(&routing_key, &reason, &detail),
            routing_key,
            attempts: i32::try_from(self.headers.number(headers::ATTEMPT).unwrap_or(0)).unwrap_or(i32::MAX),
            first_failed_at: self.headers.time(headers::FIRST_FAILED_AT),
            last_failed_at: self.headers.time(headers::LAST_FAILED_AT),
            version: text(headers::VERSION),
            traceparent: self.traceparent(),
            headers: self.headers.to_json(),
        };
        self.insert(pool, row).await
    }

    /// Stores little more than the message: the database refused the letter with its story.
    async fn store_bare(&self, pool: &PgPool, refusal: &Error) -> Result<(), Error> {
        let detail = without_nul(format!("stored without its headers: {refusal}"));
        let routing_key = without_nul(self.delivery.routing_key.to_string());
        let row = Row {
            event_id: self.envelope.as_ref().map(|envelope| envelope.id),
            class: "poison",
            reason: "NOT_STORABLE",
            detail: &detail,
            fingerprint: fingerprint(&routing_key, "NOT_STORABLE", &detail),
            routing_key,
            attempts: 0,
            first_failed_at: None,
            last_failed_at: None,
            version: None,
            traceparent: None,
            headers: Value::Object(Map::new()),
        };
        self.insert(pool, row).await
    }

    /// Inserts or renews its row. A row that is dead already is the same arrival, delivered a second time.
    async fn insert(&self, pool: &PgPool, row: Row<'_>) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO dead_letters (id, consumer, message_id, company_id, event_id, routing_key, class, reason, detail,
                                       fingerprint, attempts, first_failed_at, last_failed_at, version, traceparent,
                                       headers, payload)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT (consumer, message_id) DO UPDATE
             SET class = EXCLUDED.class, reason = EXCLUDED.reason, detail = EXCLUDED.detail,
                 fingerprint = EXCLUDED.fingerprint, attempts = EXCLUDED.attempts, version = EXCLUDED.version,
                 first_failed_at = least(dead_letters.first_failed_at, EXCLUDED.first_failed_at),
                 last_failed_at = EXCLUDED.last_failed_at, headers = EXCLUDED.headers, payload = EXCLUDED.payload,
                 times = dead_letters.times + 1, state = 'dead', arrived_at = clock_timestamp(), decided_at = NULL
             WHERE dead_letters.state <> 'dead'",
        )
        .bind(taskman_ids::new_uuid())
        .bind(self.consumer)
        .bind(&self.message_id)
        .bind(self.company())
        .bind(row.event_id)
        .bind(row.routing_key)
        .bind(row.class)
        .bind(row.reason)
        .bind(row.detail)
        .bind(row.fingerprint)
        .bind(row.attempts)
        .bind(row.first_failed_at)
        .bind(row.last_failed_at)
        .bind(row.version)
        .bind(row.traceparent)
        .bind(row.headers)
        .bind(&self.delivery.data)
        .execute(pool)
        .await?;
        Ok(())
    }

    fn company(&self) -> CompanyId {
        let header = || CompanyId::parse(&self.headers.text(headers::COMPANY_ID)?).ok();
        self.envelope.as_ref().map(|envelope| envelope.company_id).or_else(header).unwrap_or(NO_COMPANY)
    }

    fn routing_key(&self) -> String {
        let routing_key = self
            .envelope
            .as_ref()
            .map(|envelope| envelope.routing_key().to_owned())
            .or_else(|| self.headers.text(headers::ROUTING_KEY))
            .unwrap_or_else(|| self.delivery.routing_key.to_string());
        without_nul(routing_key)
    }

    fn traceparent(&self) -> Option<String> {
        let inside = || self.envelope.as_ref()?.traceparent.clone();
        self.headers.text(headers::TRACEPARENT).or_else(inside).map(without_nul)
    }
}

/// Returns class, reason and detail of a letter by its headers.
///
/// Without a class that ends a message it was not the consumer that gave up, but the broker. What the headers then tell
/// of is an earlier failure that was still to be tried again.
fn verdict(class: Option<String>, reason: Option<String>, detail: Option<String>) -> (String, String, String) {
    let died = || "the consumer died of it".to_owned();
    if let Some(class) = class.filter(|class| CLASSES.contains(&class.as_str())) {
        return (class, reason.unwrap_or_else(|| DELIVERY_LIMIT.to_owned()), detail.unwrap_or_else(died));
    }
    let earlier: Vec<String> = reason.into_iter().chain(detail).collect();
    let before = if earlier.is_empty() { String::new() } else { format!("; before that: {}", earlier.join(": ")) };
    ("crash_loop".to_owned(), DELIVERY_LIMIT.to_owned(), died() + &before)
}

/// Makes equal texts of failures that differ only in ids and numbers.
fn fingerprint(routing_key: &str, reason: &str, detail: &str) -> String {
    let mut hash = Sha256::new();
    for part in [routing_key, reason] {
        hash.update(part);
        hash.update([0]);
    }
    for word in detail.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let varies = Uuid::try_parse(bare).is_ok() || bare.contains(|c: char| c.is_ascii_digit());
        hash.update(if varies { "#" } else { word });
        hash.update([b' ']);
    }
    hex(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_differ_in_ids_and_numbers_look_alike() {
        let of = |detail: &str| fingerprint("task.assigned", "NOT_FOUND", detail);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(of(&format!("no user '{one}' after 3 s")), of(&format!("no user '{other}' after 12 s")));
        assert_ne!(of("no user"), of("no project"));
        assert_ne!(of("no user"), fingerprint("task.started", "NOT_FOUND", "no user"));
    }

    #[test]
    fn what_was_to_be_tried_again_is_a_crash_loop_that_tells_of_the_earlier_failure() {
        let text = |text: &str| Some(text.to_owned());
        let (class, reason, detail) = verdict(text("transient"), text("UNAVAILABLE"), text("no answer"));
        assert_eq!((class.as_str(), reason.as_str()), ("crash_loop", "DELIVERY_LIMIT"));
        assert_eq!(detail, "the consumer died of it; before that: UNAVAILABLE: no answer");
        assert_eq!(verdict(None, None, None).2, "the consumer died of it");
        assert_eq!(verdict(text("poison"), text("PANIC"), text("boom")).1, "PANIC");
    }
}
