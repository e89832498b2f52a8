//! Takes a role of the caller's company from a user.

use taskman_identity::Caller;
use taskman_ids::{RoleId, UserId};
use taskman_messaging::outbox;
use taskman_postgres::idempotency::Key;
use taskman_proto::iam::RevokeRoleResponse;
use taskman_rpc::origin;

use crate::app::give_role::{guard_last_administrator, record_change};
use crate::app::{App, idempotent};
use crate::error::Error;
use crate::{metrics, store};

/// Who is to lose which role.
#[derive(Debug)]
pub(crate) struct RevokeRole {
    pub(crate) user: UserId,
    pub(crate) role: RoleId,
}

/// Takes the role, unless the company would be left without administrator. A user who does not hold it has none to lose.
pub(crate) async fn revoke_role_from_user(
    app: &App,
    caller: &Caller,
    cmd: RevokeRole,
    key: Option<Key<'_>>,
) -> Result<RevokeRoleResponse, Error> {
    let (now, company) = (app.clock.now(), caller.company);
    let mut tx = app.db.begin().await?;
    if let Some(reply) = idempotent::replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    store::company::find_for_update(&mut tx, company).await?.ok_or(Error::NotFound)?;
    let assignment = store::assignment::find(&mut tx, company, cmd.user, cmd.role).await?;
    let assignment = assignment.filter(|found| found.is_held(now)).ok_or(Error::NotFound)?;
    guard_last_administrator(&mut tx, company, Some(&assignment)).await?;
    store::assignment::delete(&mut tx, company, cmd.user, cmd.role).await?;
    outbox::record(&mut tx, &origin(caller), &assignment.revoked(caller.user), now).await?;
    let position = record_change(&mut tx, company, cmd.user, now).await?;
    let reply = RevokeRoleResponse { position };
    idempotent::remember(app, &mut tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    metrics::revoked();
    app.committed();
    Ok(reply)
}
