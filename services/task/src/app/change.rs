//! A change: one transaction whose reply is remembered for a client that repeats its request.

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskman_identity::Caller;
use taskman_postgres::Transaction;
use taskman_postgres::idempotency::{self, Begin, Key};
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;

/// What makes two requests the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeatable {
    /// The client's own name for the request.
    pub(crate) request_id: Uuid,
    /// The hash of everything else in it.
    pub(crate) hash: [u8; 32],
}

/// A transaction that acts, or the reply of the one that did.
pub(crate) enum Begun<T> {
    /// The request is new.
    Fresh(Change),
    /// The request came before, and this was the reply.
    Repeated(T),
}

/// A transaction that is to change something.
pub(crate) struct Change {
    /// The transaction; what it holds is undone unless [`Change::commit`] is reached.
    pub(crate) tx: Transaction,
    key: Option<Key<'static>>,
}

impl Change {
    /// Begins the transaction of `method` for `caller`; where the request can be repeated, looks for its first reply.
    pub(crate) async fn begin<T: DeserializeOwned>(
        app: &App,
        caller: &Caller,
        method: &'static str,
        request: Option<Repeatable>,
    ) -> Result<Begun<T>, Error> {
        let mut tx = app.db.begin().await?;
        let Some(Repeatable { request_id, hash }) = request else {
            return Ok(Begun::Fresh(Self { tx, key: None }));
        };
        let (company, user) = (Some(caller.company), Some(caller.user));
        let key = Key { company, caller: user, method, request_id, request_hash: hash };
        match idempotency::begin(&mut tx, &key, app.clock.now()).await? {
            Begin::Fresh => Ok(Begun::Fresh(Self { tx, key: Some(key) })),
            Begin::Replay(reply) => Ok(Begun::Repeated(serde_json::from_slice(&reply)?)),
        }
    }

    /// Remembers the reply, commits and sends the events on their way.
    pub(crate) async fn commit<T: Serialize>(mut self, app: &App, reply: &T) -> Result<(), Error> {
        if let Some(key) = &self.key {
            idempotency::complete(&mut self.tx, key, &serde_json::to_vec(reply)?, app.clock.now()).await?;
        }
        self.tx.commit().await?;
        app.outbox.wake();
        Ok(())
    }
}
