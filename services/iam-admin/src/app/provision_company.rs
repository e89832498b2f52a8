//! Makes the roles and policies of a new company and gives `admin` to its first user.

use taskman_events::{Actor, Origin};
use taskman_ids::{CompanyId, UserId};
use taskman_messaging::outbox;

use crate::app::App;
use crate::domain::company::NewCompany;
use crate::domain::policy::Policy;
use crate::domain::role::Role;
use crate::error::Error;
use crate::{metrics, store};

/// Provisions the company, once: a repetition changes nothing and returns the position of the first time. The whole company
/// is one change, so no stream ever shows half of it.
pub(crate) async fn provision_company(app: &App, company: CompanyId, admin: UserId) -> Result<i64, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !store::company::insert(&mut tx, company, admin, now).await? {
        let known = store::company::find_for_update(&mut tx, company).await?.ok_or(Error::NotProvisioned)?;
        return if known.admin_id == admin { Ok(known.position) } else { Err(Error::ProvisionedOtherwise) };
    }
    let new = NewCompany::provision(company, admin, &app.defaults, now);
    for role in &new.roles {
        store::role::insert(&mut tx, role).await?;
    }
    for policy in &new.policies {
        store::policy::insert(&mut tx, company, policy).await?;
    }
    store::role::insert_policies(&mut tx, company, &new.attached).await?;
    store::assignment::insert(&mut tx, company, new.admin, new.admin_role(), now).await?;
    // Only the user service provisions companies, on behalf of somebody who is signing up.
    let origin = Origin::new(company, Actor::Service("user"));
    let roles: Vec<_> = new.roles.iter().filter(|role| !role.pseudo).map(Role::created).collect();
    outbox::record_all(&mut tx, &origin, &roles, now).await?;
    let policies: Vec<_> = new.policies.iter().map(Policy::created).collect();
    outbox::record_all(&mut tx, &origin, &policies, now).await?;
    outbox::record(&mut tx, &origin, &new.administered(), now).await?;
    let position = store::change::insert(&mut tx, company, &new.state(), now).await?;
    store::company::update_position(&mut tx, company, position).await?;
    tx.commit().await?;
    metrics::assigned();
    app.committed();
    Ok(position)
}
