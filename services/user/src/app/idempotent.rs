//! Answers a repeated request with the reply of the first.

use sqlx::PgConnection;
use taskman_identity::Caller;
use taskman_postgres::idempotency::{self, Begin, Key};
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;

/// The key of a call, when the client sent a request id.
pub(crate) fn key<'a>(
    caller: &Caller,
    method: &'a str,
    request_id: Option<Uuid>,
    request: &impl prost::Message,
) -> Option<Key<'a>> {
    let request_hash = idempotency::hash(&request.encode_to_vec());
    request_id.map(|request_id| Key {
        company: Some(caller.company),
        caller: Some(caller.user),
        method,
        request_id,
        request_hash,
    })
}

/// Returns the reply of an earlier call with the same key.
pub(crate) async fn replay<R: prost::Message + Default>(
    app: &App,
    tx: &mut PgConnection,
    key: Option<&Key<'_>>,
) -> Result<Option<R>, Error> {
    let Some(key) = key else { return Ok(None) };
    match idempotency::begin(tx, key, app.clock.now()).await? {
        Begin::Fresh => Ok(None),
        // What does not decode was written by another version; it counts as never seen.
        Begin::Replay(reply) => Ok(R::decode(reply.as_slice()).ok()),
    }
}

/// Returns the reply of an earlier call with the same key, before the transaction of this one.
pub(crate) async fn replay_at_once<R: prost::Message + Default>(
    app: &App,
    key: Option<&Key<'_>>,
) -> Result<Option<R>, Error> {
    if key.is_none() {
        return Ok(None);
    }
    let mut tx = app.db.begin().await?;
    let reply = replay(app, &mut tx, key).await?;
    // Ended here and now: the main transaction takes the same lock.
    tx.rollback().await?;
    Ok(reply)
}

/// Remembers the reply in the transaction of the change.
pub(crate) async fn remember(
    app: &App,
    tx: &mut PgConnection,
    key: Option<&Key<'_>>,
    reply: &impl prost::Message,
) -> Result<(), Error> {
    if let Some(key) = key {
        idempotency::complete(tx, key, &reply.encode_to_vec(), app.clock.now()).await?;
    }
    Ok(())
}
