//! Returns what decisions need to know of a user.

use taskman_ids::UserId;

use crate::app::App;
use crate::error::Error;
use crate::store;
use crate::store::user::Member;

/// Returns the user, or that there is none.
pub(crate) async fn get_subject(app: &App, user: UserId) -> Result<Member, Error> {
    let mut conn = app.db.primary().acquire().await?;
    store::user::find_member(&mut conn, user).await?.ok_or(Error::NotFound)
}
