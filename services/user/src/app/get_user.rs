//! Returns one user of a company.

use taskman_ids::{CompanyId, UserId};

use crate::app::App;
use crate::domain::user::User;
use crate::error::Error;
use crate::store;

/// Returns the user, or that the company has none with this id.
pub(crate) async fn get_user(app: &App, company: CompanyId, user: UserId) -> Result<User, Error> {
    let mut conn = app.db.read().acquire().await?;
    store::user::find(&mut conn, company, user).await?.ok_or(Error::NotFound)
}
