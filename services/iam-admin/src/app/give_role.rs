//! What all ways to a role have in common, whether an administrator, an event or a sign-up leads to it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_events::Origin;
use taskman_ids::{CompanyId, UserId};
use taskman_messaging::outbox;

use crate::domain::assignment::{Assignment, Outcome};
use crate::domain::change::State;
use crate::domain::role::Role;
use crate::error::Error;
use crate::store;

/// Who is to get which role.
#[derive(Debug)]
pub(crate) struct GiveRole {
    pub(crate) role: Role,
    pub(crate) user: UserId,
    pub(crate) by: Option<UserId>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Gives the role; the row of the company is locked. Returns the assignment and the position at which it is so, and `None`
/// in place of the latter where nothing had to change.
pub(crate) async fn give_role(
    tx: &mut PgConnection,
    origin: &Origin,
    gift: GiveRole,
    now: DateTime<Utc>,
) -> Result<(Assignment, Option<i64>), Error> {
    let (company, user) = (gift.role.company_id, gift.user);
    let existing = store::assignment::find(tx, company, user, gift.role.id).await?;
    if gift.expires_at.is_some() {
        guard_last_administrator(tx, company, existing.as_ref()).await?;
    }
    match Assignment::assign(existing, gift.role, user, gift.by, gift.expires_at, now) {
        Outcome::Unchanged(assignment) => Ok((assignment, None)),
        Outcome::Changed { assignment, event, ended } => {
            store::assignment::upsert(tx, &assignment).await?;
            if let Some(ended) = ended {
                outbox::record(tx, origin, &ended, now).await?;
            }
            outbox::record(tx, origin, &event, now).await?;
            let position = record_change(tx, company, user, now).await?;
            Ok((assignment, Some(position)))
        }
    }
}

/// Refuses to end, or to limit in time, the assignment of the last administrator.
pub(crate) async fn guard_last_administrator(
    tx: &mut PgConnection,
    company: CompanyId,
    assignment: Option<&Assignment>,
) -> Result<(), Error> {
    match assignment {
        Some(last)
            if last.keeps_the_company_administered()
                && !store::assignment::other_administrator_exists(tx, company, last.user_id).await? =>
        {
            Err(Error::LastAdministrator)
        }
        _ => Ok(()),
    }
}

/// Records what the user holds now for the stream of changes, and returns the position. The last statement before the end
/// of a transaction, because all others wait for the counter.
pub(crate) async fn record_change(
    tx: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    let held = store::assignment::list_held(tx, company, user, now).await?;
    store::change::insert(tx, company, &State::subject(user, &held), now).await
}
