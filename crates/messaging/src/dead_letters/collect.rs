//! Copies dead letters from their queue into the table.

use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use taskman_events::{Envelope, NO_COMPANY};
use taskman_ids::CompanyId;
use taskman_postgres::Db;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::consumer::{Deliveries, hex, message_id};
use crate::headers::{self, Headers};
use crate::{Config, Error};

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

impl<'a> Arrival<'a> {
    fn of(consumer: &'static str, delivery: &'a Delivery) -> Self {
        Self {
            consumer,
            message_id: message_id(delivery),
            envelope: Envelope::decode(&delivery.data).ok(),
            headers: Headers::of(&delivery.properties),
            delivery,
        }
    }

    /// Inserts or renews its row. A row that is dead already is the same arrival, delivered a second time.
    async fn store(&self, pool: &PgPool) -> Result<(), Error> {
        let reason = self.headers.text(headers::REASON).unwrap_or_else(|| "DELIVERY_LIMIT".to_owned());
        let detail = self.headers.text(headers::DETAIL).unwrap_or_else(|| "the consumer died of it".to_owned());
        let routing_key = self.routing_key();
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
        .bind(self.envelope.as_ref().map(|envelope| envelope.id))
        .bind(&routing_key)
        .bind(self.headers.text(headers::CLASS).unwrap_or_else(|| "crash_loop".to_owned()))
        .bind(&reason)
        .bind(&detail)
        .bind(fingerprint(&routing_key, &reason, &detail))
        .bind(i32::try_from(self.headers.number(headers::ATTEMPT).unwrap_or(0)).unwrap_or(i32::MAX))
        .bind(self.headers.time(headers::FIRST_FAILED_AT))
        .bind(self.headers.time(headers::LAST_FAILED_AT))
        .bind(self.headers.text(headers::VERSION))
        .bind(self.traceparent())
        .bind::<Value>(self.headers.to_json())
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
        self.envelope
            .as_ref()
            .map(|envelope| envelope.routing_key().to_owned())
            .or_else(|| self.headers.text(headers::ROUTING_KEY))
            .unwrap_or_else(|| self.delivery.routing_key.to_string())
    }

    fn traceparent(&self) -> Option<String> {
        let inside = || self.envelope.as_ref()?.traceparent.clone();
        self.headers.text(headers::TRACEPARENT).or_else(inside)
    }
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
}
