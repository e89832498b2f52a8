//! What a service does with an event.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_errors::Failure;
use taskman_events::{Envelope, Event};

/// Why a handler failed; `?` turns any [`Failure`] into it.
#[derive(Debug)]
pub struct Failed(Box<dyn Failure>);

impl<E: Failure> From<E> for Failed {
    fn from(failure: E) -> Self {
        Self(Box::new(failure))
    }
}

impl Failed {
    /// Returns the failure.
    pub fn failure(&self) -> &dyn Failure {
        self.0.as_ref()
    }
}

/// Applies one event.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Changes what the event asks for, inside `tx` and nowhere else: what fails is rolled back and comes again.
    async fn on(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed>;
}

/// Applies many events at once.
#[async_trait]
pub trait BatchHandler: Send + Sync + 'static {
    /// Changes what the events ask for, inside `tx` and nowhere else. Where one of them fails, all are rolled back and
    /// come again in smaller batches, until the one is alone.
    async fn on_batch(&self, tx: &mut Transaction<'_, Postgres>, envelopes: &[&Envelope]) -> Result<(), Failed>;
}

/// What a consumer does with which event.
#[derive(Clone)]
pub struct Handlers(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    ByKey(BTreeMap<&'static str, Arc<dyn Handler>>),
    Batch(Arc<dyn BatchHandler>),
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::ByKey(handlers) => f.debug_set().entries(handlers.keys()).finish(),
            Kind::Batch(_) => f.write_str("batch"),
        }
    }
}

impl Default for Handlers {
    fn default() -> Self {
        Self::new()
    }
}

impl Handlers {
    /// Starts with none. An event that arrives and has no handler is a dead letter.
    pub const fn new() -> Self {
        Self(Kind::ByKey(BTreeMap::new()))
    }

    /// Applies the events of type `E` with `handler`.
    #[must_use]
    pub fn on<E: Event>(self, handler: impl Handler) -> Self {
        self.on_key(E::KEY, handler)
    }

    /// Applies the events with the routing key `key` with `handler`.
    #[must_use]
    pub fn on_key(self, key: &'static str, handler: impl Handler) -> Self {
        let mut handlers = match self.0 {
            Kind::ByKey(handlers) => handlers,
            Kind::Batch(_) => BTreeMap::new(),
        };
        handlers.insert(key, Arc::new(handler));
        Self(Kind::ByKey(handlers))
    }

    /// Applies every event with `handler`, in batches.
    pub fn batch(handler: impl BatchHandler) -> Self {
        Self(Kind::Batch(Arc::new(handler)))
    }
}
