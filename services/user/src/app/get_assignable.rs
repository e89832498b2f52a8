//! Says whether a user can be given tasks.

use taskman_ids::{CompanyId, UserId};
use taskman_proto::user::GetAssignableResponse;

use crate::app::App;
use crate::error::Error;
use crate::store;

/// Looks the user up in the company. Another company's user does not exist there.
pub(crate) async fn get_assignable(
    app: &App,
    company: CompanyId,
    user: UserId,
) -> Result<GetAssignableResponse, Error> {
    let mut conn = app.db.primary().acquire().await?;
    let found = store::user::find(&mut conn, company, user).await?;
    Ok(GetAssignableResponse { exists: found.is_some(), active: found.is_some_and(|user| user.is_active) })
}
