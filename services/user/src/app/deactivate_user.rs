//! Shuts a user out: no login, no session, no token.

use taskman_identity::Caller;
use taskman_ids::UserId;
use taskman_messaging::outbox;
use taskman_postgres::idempotency::Key;
use taskman_proto::user::DeactivateUserResponse;
use taskman_rpc::origin;

use crate::app::{App, idempotent};
use crate::clients;
use crate::domain::user::User;
use crate::error::Error;
use crate::store;
use crate::store::revocation::Pending;

const REASON: &str = "deactivated";

/// Which user a change is for, and in which version the client knows them.
pub(crate) struct ChangeUser {
    pub(crate) user: UserId,
    pub(crate) version: Option<i32>,
    /// Why, for the audit; may be empty.
    pub(crate) reason: String,
}

/// Refuses a change of a user whom the client knows in another version.
pub(crate) fn expect_version(user: &User, version: Option<i32>) -> Result<(), Error> {
    match version {
        Some(version) if version != user.version => Err(Error::Stale { current: user.version }),
        _ => Ok(()),
    }
}

/// Deactivates the user and ends the sessions before it answers. Where the authentication service is away, a job repeats
/// that; decisions about the user are denied all the same, because the stream of changes tells.
pub(crate) async fn deactivate_user(
    app: &App,
    caller: &Caller,
    cmd: ChangeUser,
    key: Option<Key<'_>>,
) -> Result<DeactivateUserResponse, Error> {
    // Whoever shuts themselves out may be the last who could let anybody in.
    if cmd.user == caller.user {
        return Err(Error::SelfDeactivation);
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(reply) = idempotent::replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    let mut user = store::user::get_for_update(&mut tx, caller.company, cmd.user).await?;
    expect_version(&user, cmd.version)?;
    let id = user.id;
    let pending = Pending { user_id: id, company_id: caller.company, reason: REASON.to_owned(), created_at: now };
    if let Some(deactivated) = user.deactivate(&cmd.reason, now) {
        store::user::update(&mut tx, &user).await?;
        store::change::insert(&mut tx, caller.company, id, now).await?;
        store::revocation::insert(&mut tx, &pending).await?;
        outbox::record(&mut tx, &origin(caller), &deactivated, now).await?;
    }
    let reply = DeactivateUserResponse { user: Some(user.into()) };
    idempotent::remember(app, &mut tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    app.committed();
    match clients::revoke_subject(app, caller.company, id, REASON).await {
        Ok(()) => {
            // Nothing that fails from here on makes the deactivation fail: where the note stays, the job repeats it.
            if let Err(error) = forget(app, &pending).await {
                tracing::warn!(user.id = %id, %error, "sessions of a deactivated user will be ended once more");
            }
        }
        Err(error) => tracing::warn!(user.id = %id, %error, "sessions of a deactivated user will be ended by the job"),
    }
    Ok(reply)
}

/// Forgets the note of this deactivation; a newer one of the same user has a note of its own.
async fn forget(app: &App, pending: &Pending) -> Result<(), Error> {
    let mut conn = app.db.primary().acquire().await?;
    store::revocation::delete_asked(&mut conn, pending).await
}
