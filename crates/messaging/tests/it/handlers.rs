//! Handlers that note each event in the table `effects`, and fail as the title of the task asks them to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_errors::{Failure, Kind};
use taskman_events::task::TaskAssigned;
use taskman_events::{Envelope, Event};
use taskman_messaging::{BatchHandler, Failed, Handler, Handlers};
use taskman_telemetry::propagation;

/// A failure of a test's choice.
#[derive(Debug, thiserror::Error)]
#[error("asked to fail")]
pub(crate) struct Asked(Kind);

impl Failure for Asked {
    fn kind(&self) -> Kind {
        self.0
    }

    fn reason(&self) -> &'static str {
        "ASKED"
    }
}

/// Notes effects; clones share what they have seen.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    consumer: &'static str,
    /// How often a handler was called.
    pub(crate) calls: Arc<AtomicUsize>,
    /// How often a transient failure has still to come.
    pub(crate) transient_left: Arc<AtomicUsize>,
    /// Whether permanent failures are mended.
    pub(crate) mended: Arc<AtomicUsize>,
    /// The traces that handlers ran in.
    pub(crate) traces: Arc<Mutex<Vec<Option<String>>>>,
    /// The numbers that the events had.
    pub(crate) numbers: Arc<Mutex<Vec<Option<i64>>>>,
}

impl Notes {
    pub(crate) fn of(consumer: &'static str) -> Self {
        Self { consumer, ..Self::default() }
    }

    /// Handles `task.assigned` one by one.
    pub(crate) fn single(&self) -> Handlers {
        Handlers::new().on::<TaskAssigned>(self.clone())
    }

    /// Handles everything in batches.
    pub(crate) fn batch(&self) -> Handlers {
        Handlers::batch(self.clone())
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn note(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed> {
        // The effect comes first, so that a failure has something to roll back.
        sqlx::query("INSERT INTO effects (consumer, event_id) VALUES ($1, $2)")
            .bind(self.consumer)
            .bind(envelope.id)
            .execute(&mut **tx)
            .await
            .map_err(taskman_postgres::Error::from)?;
        self.numbers.lock().unwrap().push(envelope.producer_seq);
        self.traces.lock().unwrap().push(propagation::trace_id());
        let title = if envelope.routing_key() == TaskAssigned::KEY {
            envelope.data::<TaskAssigned>()?.task.title
        } else {
            String::new()
        };
        let left = |counter: &AtomicUsize| {
            counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        match title.as_str() {
            "transient" if left(&self.transient_left) => Err(Asked(Kind::Unavailable).into()),
            "permanent" if self.mended.load(Ordering::SeqCst) == 0 => Err(Asked(Kind::Refused).into()),
            "panic" => panic!("asked to panic"),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Handler for Notes {
    async fn on(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.note(tx, envelope).await
    }
}

#[async_trait]
impl BatchHandler for Notes {
    async fn on_batch(&self, tx: &mut Transaction<'_, Postgres>, envelopes: &[&Envelope]) -> Result<(), Failed> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        for envelope in envelopes {
            self.note(tx, envelope).await?;
        }
        Ok(())
    }
}
