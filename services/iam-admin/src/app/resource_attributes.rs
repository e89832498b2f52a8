//! Tells what policies may read of roles.

use taskman_ids::{CompanyId, RoleId};

use crate::app::App;
use crate::domain::role::Role;
use crate::error::Error;
use crate::store;

/// Returns those of `roles` that the company has. It reads the primary: decisions rest on what is committed.
pub(crate) async fn roles(app: &App, company: CompanyId, roles: &[RoleId]) -> Result<Vec<Role>, Error> {
    let mut conn = app.db.primary().acquire().await?;
    store::role::list_by_ids(&mut conn, company, roles).await
}
