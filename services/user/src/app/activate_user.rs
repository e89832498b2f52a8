//! Lets a deactivated user in again.

use taskman_identity::Caller;
use taskman_messaging::outbox;
use taskman_postgres::idempotency::Key;
use taskman_proto::user::ActivateUserResponse;
use taskman_rpc::origin;

use crate::app::deactivate_user::{ChangeUser, expect_version};
use crate::app::{App, idempotent};
use crate::error::Error;
use crate::store;

/// Activates the user; nothing happens to one who is active.
pub(crate) async fn activate_user(
    app: &App,
    caller: &Caller,
    cmd: ChangeUser,
    key: Option<Key<'_>>,
) -> Result<ActivateUserResponse, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(reply) = idempotent::replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    let mut user = store::user::get_for_update(&mut tx, caller.company, cmd.user).await?;
    expect_version(&user, cmd.version)?;
    if let Some(activated) = user.activate(now) {
        store::user::update(&mut tx, &user).await?;
        store::change::insert(&mut tx, caller.company, user.id, now).await?;
        store::revocation::delete(&mut tx, caller.company, user.id).await?;
        outbox::record(&mut tx, &origin(caller), &activated, now).await?;
    }
    let reply = ActivateUserResponse { user: Some(user.into()) };
    idempotent::remember(app, &mut tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    app.committed();
    Ok(reply)
}
