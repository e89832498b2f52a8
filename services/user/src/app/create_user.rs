//! Creates a user of the caller's company, who sets a password with a mailed link.

use taskman_identity::Caller;
use taskman_ids::{LinkRequestId, UserId};
use taskman_messaging::outbox;
use taskman_postgres::idempotency::Key;
use taskman_proto::user::CreateUserResponse;
use taskman_rpc::origin;

use crate::app::{App, idempotent};
use crate::clients;
use crate::domain::user::{Profile, User};
use crate::error::Error;
use crate::store;

/// Creates the user and tells of it; mail and default role follow from the event.
pub(crate) async fn create_user(
    app: &App,
    caller: &Caller,
    profile: Profile,
    key: Option<Key<'_>>,
) -> Result<CreateUserResponse, Error> {
    // Also before anything is asked of others, so that a repetition opens no second link request.
    if let Some(reply) = idempotent::replay_at_once(app, key.as_ref()).await? {
        return Ok(reply);
    }
    let now = app.clock.now();
    let (id, link) = (UserId::new(), LinkRequestId::new());
    let user = User::create(id, caller.company, profile, now);
    // Opened before the user exists: a link request without user is never mailed, a user without one never could log in.
    clients::create_link_request(app, caller.company, id, link).await?;
    let mut tx = app.db.begin().await?;
    if let Some(reply) = idempotent::replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    store::user::insert(&mut tx, &user).await?;
    store::change::insert(&mut tx, caller.company, id, now).await?;
    outbox::record(&mut tx, &origin(caller), &user.invited(link), now).await?;
    let reply = CreateUserResponse { user: Some(user.into()) };
    idempotent::remember(app, &mut tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    app.committed();
    Ok(reply)
}
