//! Answers a repeated request with the reply of the first.

use prost::Message;
use sqlx::PgConnection;
use taskman_identity::Caller;
use taskman_postgres::idempotency::{self, Begin, Key};
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;

/// Names a call of `method` with `request`, from which the request id was taken out; nothing where the client sent none.
pub(crate) fn key(
    caller: &Caller,
    method: &'static str,
    request_id: Option<Uuid>,
    request: &impl Message,
) -> Option<Key<'static>> {
    Some(Key {
        company: Some(caller.company),
        caller: Some(caller.user),
        method,
        request_id: request_id?,
        request_hash: idempotency::hash(&request.encode_to_vec()),
    })
}

/// Returns the reply of an earlier call with the same key.
pub(crate) async fn replay<R: Message + Default>(
    app: &App,
    tx: &mut PgConnection,
    key: Option<&Key<'_>>,
) -> Result<Option<R>, Error> {
    let Some(key) = key else { return Ok(None) };
    match idempotency::begin(tx, key, app.clock.now()).await? {
        Begin::Fresh => Ok(None),
        // Replies are proto messages, which other versions can read; one that nobody can read counts as never given.
        Begin::Replay(reply) => Ok(R::decode(reply.as_slice()).ok()),
    }
}

/// Remembers the reply in the transaction of the change.
pub(crate) async fn remember(
    app: &App,
    tx: &mut PgConnection,
    key: Option<&Key<'_>>,
    reply: &impl Message,
) -> Result<(), Error> {
    if let Some(key) = key {
        idempotency::complete(tx, key, &reply.encode_to_vec(), app.clock.now()).await?;
    }
    Ok(())
}
