//! The outbox: an event is a row, written in the transaction of the change that it tells of.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_events::{Envelope, Event, MAX_BYTES, Origin};
use taskman_ids::EventId;
use taskman_telemetry::propagation;
use tokio::sync::Notify;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::Error;

/// Wakes the relay of a service, so that an event does not wait for the next poll; clones wake the same one.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Arc<Notify>);

impl Outbox {
    /// Says that events were committed. Cheap, and harmless when there were none.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Records that `event` happened; it is published after the transaction has committed, and never otherwise.
///
/// The event continues the trace of the current span; outside of any, that of the origin.
pub async fn record<E: Event>(
    conn: &mut PgConnection,
    origin: &Origin,
    event: &E,
    now: DateTime<Utc>,
) -> Result<EventId, Error> {
    let ids = record_all(conn, origin, std::slice::from_ref(event), now).await?;
    // One event in, one id out.
    ids.into_iter().next().ok_or(Error::Refused("no event"))
}

/// Records several events of one sort, in one statement.
pub async fn record_all<E: Event>(
    conn: &mut PgConnection,
    origin: &Origin,
    events: &[E],
    now: DateTime<Utc>,
) -> Result<Vec<EventId>, Error> {
    let mut origin = origin.clone();
    if let Some(current) = propagation::current_traceparent() {
        origin.traceparent = Some(current);
        origin.tracestate = propagation::current_tracestate();
    }
    let mut rows = Rows::default();
    for event in events {
        rows.add(&origin, event, now)?;
    }
    let span = tracing::info_span!(
        "record events",
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "INSERT",
        db.collection.name = "outbox",
        messaging.destination.name = E::KEY,
    );
    rows.insert::<E>(conn, &origin).instrument(span).await?;
    Ok(rows.ids.into_iter().map(EventId::from_uuid).collect())
}

/// Counts the events that are not published yet.
pub async fn backlog(conn: &mut PgConnection) -> Result<i64, Error> {
    // no company: counts the service's events of all companies
    Ok(sqlx::query_scalar("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetch_one(conn).await?)
}

/// What differs between the events of one insert, column by column.
#[derive(Default)]
struct Rows {
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    aggregates: Vec<Uuid>,
    versions: Vec<Option<i64>>,
    payloads: Vec<Vec<u8>>,
}

impl Rows {
    fn add<E: Event>(&mut self, origin: &Origin, event: &E, now: DateTime<Utc>) -> Result<(), Error> {
        let id = EventId::new();
        let payload = serde_json::to_vec(&Envelope::new(id, origin, event, now)?)?;
        if payload.len() > MAX_BYTES {
            return Err(Error::TooLarge(payload.len()));
        }
        let aggregate = event.aggregate();
        self.ids.push(id.as_uuid());
        self.kinds.push(aggregate.kind);
        self.aggregates.push(aggregate.id);
        self.versions.push(aggregate.version);
        self.payloads.push(payload);
        Ok(())
    }

    async fn insert<E: Event>(&self, conn: &mut PgConnection, origin: &Origin) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO outbox (id, company_id, aggregate_kind, aggregate_id, aggregate_version, exchange, routing_key,
                                 payload, traceparent, tracestate)
             SELECT id, $1, kind, aggregate, version, $2, $3, payload, $4, $5
             FROM unnest($6::uuid[], $7::text[], $8::uuid[], $9::bigint[], $10::bytea[])
                  AS event (id, kind, aggregate, version, payload)",
        )
        .bind(origin.company)
        .bind(E::EXCHANGE.name())
        .bind(E::KEY)
        .bind(origin.traceparent.as_deref())
        .bind(origin.tracestate.as_deref())
        .bind(&self.ids)
        .bind(&self.kinds)
        .bind(&self.aggregates)
        .bind(&self.versions)
        .bind(&self.payloads)
        .execute(conn)
        .await?;
        Ok(())
    }
}
