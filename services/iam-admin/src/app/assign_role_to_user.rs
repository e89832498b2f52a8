//! Gives a role of the caller's company to a user.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_identity::Caller;
use taskman_ids::{RoleId, UserId};
use taskman_postgres::idempotency::Key;
use taskman_proto::iam::AssignRoleResponse;
use taskman_rpc::origin;

use crate::app::give_role::{GiveRole, give_role};
use crate::app::{App, idempotent};
use crate::domain::policy;
use crate::error::Error;
use crate::{metrics, store};

/// Who is to get which role, until when.
#[derive(Debug)]
pub(crate) struct AssignRole {
    pub(crate) user: UserId,
    pub(crate) role: RoleId,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Gives the role, unless it grants more than the caller holds. Nothing happens to a user who holds it until the same
/// moment.
///
/// Whether there is such a user is not asked: users are another service's, and a role in the hands of somebody who is not
/// of the company grants nothing, since decisions look for the subject in the subject's own company.
pub(crate) async fn assign_role_to_user(
    app: &App,
    caller: &Caller,
    cmd: AssignRole,
    key: Option<Key<'_>>,
) -> Result<AssignRoleResponse, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(reply) = idempotent::replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    store::company::find_for_update(&mut tx, caller.company).await?.ok_or(Error::NotFound)?;
    let role = store::role::get(&mut tx, caller.company, cmd.role).await?;
    guard_escalation(&mut tx, caller, role.id, now).await?;
    let gift = GiveRole { role, user: cmd.user, by: Some(caller.user), expires_at: cmd.expires_at };
    let (assignment, changed) = give_role(&mut tx, &origin(caller), gift, now).await?;
    let position = match changed {
        Some(position) => position,
        // Whatever made the assignment was committed at this position or before.
        None => store::change::head(&mut tx).await?,
    };
    let reply = AssignRoleResponse { user_role: Some(assignment.into()), position };
    idempotent::remember(app, &mut tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    if changed.is_some() {
        metrics::assigned();
        app.committed();
    }
    Ok(reply)
}

async fn guard_escalation(
    tx: &mut PgConnection,
    caller: &Caller,
    role: RoleId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let granted = store::policy::list_of_role(tx, caller.company, role).await?;
    let own = store::policy::list_of_user(tx, caller.company, caller.user, now).await?;
    if policy::may_grant(&own, &granted) { Ok(()) } else { Err(Error::Escalation) }
}
