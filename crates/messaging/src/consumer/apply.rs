//! One transaction: inbox rows, effect, commit; and what it means when it fails.

use std::any::Any;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use sqlx::PgConnection;
use taskman_errors::{Failure, Kind as FailureKind};
use taskman_events::Envelope;
use taskman_postgres::Transaction;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::handler::Kind;
use super::{Consumer, Failed};

/// How much of an error's text is kept.
const DETAIL_CHARS: usize = 1_000;

/// Why a message was not applied.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) class: Class,
    pub(super) reason: String,
    pub(super) detail: String,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It may pass: try again later.
    Transient,
    /// It does not pass.
    Permanent,
    /// The message itself is not one that anybody could apply.
    Poison,
    /// The consumer is stopping: the message goes back as it is.
    Stopped,
}

impl Fault {
    pub(super) fn new(class: Class, reason: &str, detail: &str) -> Self {
        Self { class, reason: reason.to_owned(), detail: detail.chars().take(DETAIL_CHARS).collect() }
    }

    pub(super) fn poison(failure: &dyn Failure) -> Self {
        Self::new(Class::Poison, failure.reason(), &chain(failure))
    }

    fn of(failure: &dyn Failure) -> Self {
        // A stale version means that somebody else was faster: the next attempt reads the newer state.
        let passes = failure.kind().is_transient() || failure.kind() == FailureKind::Stale;
        let class = if passes { Class::Transient } else { Class::Permanent };
        Self::new(class, failure.reason(), &chain(failure))
    }

    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        Self::new(Class::Poison, "PANIC", text.unwrap_or("a handler panicked"))
    }
}

/// Writes an error with its causes.
fn chain(failure: &dyn Failure) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Consumer {
    /// Applies `envelopes` in one transaction and returns how many of them were new.
    pub(super) async fn apply(&self, envelopes: &[&Envelope], stop: &CancellationToken) -> Result<usize, Fault> {
        let mut tx = self.begin(stop).await?;
        let work = async {
            let new = admit(&mut tx, self.queue(), envelopes).await?;
            if !new.is_empty() {
                self.handle(&mut tx, &new).await?;
            }
            Ok::<usize, Failed>(new.len())
        };
        let worked = tokio::time::timeout(self.config.handler_timeout(), AssertUnwindSafe(work).catch_unwind()).await;
        let new = match worked {
            Ok(Ok(Ok(new))) => new,
            Ok(Ok(Err(failed))) => return Err(Fault::of(failed.failure())),
            Ok(Err(panic)) => return Err(Fault::of_panic(panic.as_ref())),
            Err(_) => return Err(Fault::new(Class::Transient, "DEADLINE_EXCEEDED", "the handler took too long")),
        };
        // A commit whose answer is lost may have happened: the inbox row tells on the next attempt.
        tx.commit().await.map_err(|error| Fault::of(&taskman_postgres::Error::from(error)))?;
        Ok(new)
    }

    /// Begins a transaction. While the database is away the messages wait here, unacknowledged: sending them through the
    /// retry queues would use up attempts that are not theirs.
    async fn begin(&self, stop: &CancellationToken) -> Result<Transaction, Fault> {
        let mut backoff = self.config.reconnect();
        loop {
            match self.db.begin().await {
                Ok(tx) => return Ok(tx),
                Err(error) if !error.kind().is_transient() => return Err(Fault::of(&error)),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, messaging.queue = self.queue(), "the consumer waits for the database");
                }
            }
            tokio::select! {
                () = backoff.sleep() => {}
                () = stop.cancelled() => return Err(Fault::new(Class::Stopped, "UNAVAILABLE", "stopping")),
            }
        }
    }

    async fn handle(&self, tx: &mut Transaction, envelopes: &[&Envelope]) -> Result<(), Failed> {
        match &self.handlers.0 {
            Kind::Batch(handler) => handler.on_batch(tx, envelopes).await,
            Kind::ByKey(handlers) => {
                for envelope in envelopes {
                    match handlers.get(envelope.routing_key()) {
                        Some(handler) => handler.on(tx, envelope).await?,
                        None => return Err(NoHandler(envelope.routing_key().to_owned()).into()),
                    }
                }
                Ok(())
            }
        }
    }
}

/// Writes the inbox rows and returns the events that had none, each once.
async fn admit<'a>(
    conn: &mut PgConnection,
    consumer: &str,
    envelopes: &[&'a Envelope],
) -> Result<Vec<&'a Envelope>, taskman_postgres::Error> {
    let ids: Vec<Uuid> = envelopes.iter().map(|envelope| envelope.id.as_uuid()).collect();
    let companies: Vec<Uuid> = envelopes.iter().map(|envelope| envelope.company_id.as_uuid()).collect();
    let new: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO inbox (consumer, event_id, company_id)
         SELECT $1, event_id, company_id FROM unnest($2::uuid[], $3::uuid[]) AS event (event_id, company_id)
         ORDER BY event_id
         ON CONFLICT DO NOTHING
         RETURNING event_id",
    )
    .bind(consumer)
    .bind(&ids)
    .bind(&companies)
    .fetch_all(conn)
    .await?;
    let mut new: HashSet<Uuid> = new.into_iter().collect();
    Ok(envelopes.iter().copied().filter(|envelope| new.remove(&envelope.id.as_uuid())).collect())
}

/// An event arrived that the service has no handler for: a binding and the code do not fit.
#[derive(Debug, thiserror::Error)]
#[error("there is no handler for {0}")]
struct NoHandler(String);

impl Failure for NoHandler {
    fn kind(&self) -> FailureKind {
        FailureKind::Unimplemented
    }

    fn reason(&self) -> &'static str {
        "NO_HANDLER"
    }
}
