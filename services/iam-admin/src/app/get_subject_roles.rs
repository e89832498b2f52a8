//! Returns the roles of somebody who logs in.

use taskman_ids::{CompanyId, UserId};

use crate::app::App;
use crate::error::Error;
use crate::store;

/// Returns the names of the roles, sorted, and the position at which that is so.
pub(crate) async fn get_subject_roles(
    app: &App,
    company: CompanyId,
    user: UserId,
) -> Result<(Vec<String>, i64), Error> {
    let mut conn = app.db.primary().acquire().await?;
    store::assignment::names_at_position(&mut conn, company, user, app.clock.now()).await
}
