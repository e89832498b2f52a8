//! Tells what policies may read of users.

use taskman_ids::{CompanyId, UserId};

use crate::app::App;
use crate::domain::user::User;
use crate::error::Error;
use crate::store;

/// Returns those of `users` that the company has.
pub(crate) async fn users(app: &App, company: CompanyId, users: &[UserId]) -> Result<Vec<User>, Error> {
    let mut conn = app.db.primary().acquire().await?;
    store::user::list_by_ids(&mut conn, company, users).await
}
