//! Lists the roles that a user of the caller's company holds.

use taskman_identity::Caller;
use taskman_ids::UserId;

use crate::app::App;
use crate::domain::assignment::Assignment;
use crate::error::Error;
use crate::store;

/// Returns what the user holds now; nothing of a user who is not of the company. It reads the primary, so that people see
/// what they have just written.
pub(crate) async fn list_user_roles(app: &App, caller: &Caller, user: UserId) -> Result<Vec<Assignment>, Error> {
    let mut conn = app.db.primary().acquire().await?;
    store::assignment::list_shown(&mut conn, caller.company, user, app.clock.now()).await
}
