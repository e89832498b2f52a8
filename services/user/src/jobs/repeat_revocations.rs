//! Ends the sessions of users whose deactivation could not do so itself.

use std::sync::Arc;

use crate::app::App;
use crate::clients;
use crate::error::Error;
use crate::store;

/// Asks the authentication service again for each user that is still noted.
pub(crate) async fn run(app: Arc<App>) -> Result<(), Error> {
    let mut conn = app.db.primary().acquire().await?;
    for pending in store::revocation::list(&mut conn).await? {
        clients::revoke_subject(&app, pending.company_id, pending.user_id, &pending.reason).await?;
        store::revocation::delete(&mut conn, pending.company_id, pending.user_id).await?;
    }
    Ok(())
}
