//! Ends the sessions of users whose deactivation could not do so itself.

use std::sync::Arc;

use crate::app::App;
use crate::clients;
use crate::error::Error;
use crate::store;

/// Asks the authentication service again for each user that is still noted.
pub(crate) async fn run(app: Arc<App>) -> Result<(), Error> {
    let waiting = store::revocation::list(&mut *app.db.primary().acquire().await?).await?;
    for pending in waiting {
        // One that cannot be ended does not hold up the others.
        if let Err(error) = clients::revoke_subject(&app, pending.company_id, pending.user_id, &pending.reason).await {
            tracing::warn!(user.id = %pending.user_id, %error, "sessions could not be ended yet");
            continue;
        }
        let mut conn = app.db.primary().acquire().await?;
        store::revocation::delete_asked(&mut conn, &pending).await?;
    }
    Ok(())
}
