//! Ends the caller's session.

use taskman_events::auth::Logout;
use taskman_identity::Caller;
use taskman_messaging::outbox;

use super::{App, revoke_subject};
use crate::error::Error;
use crate::store;

/// Logs the caller out; a session that is over already stays so.
pub(crate) async fn logout(app: &App, caller: &Caller) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let ended = store::session::end(&mut tx, (caller.company, caller.session), None, now).await?;
    let Some(ended) = ended.filter(|ended| ended.user == caller.user) else { return Ok(()) };
    let event = Logout { user_id: caller.user, session_id: caller.session };
    outbox::record(&mut tx, &taskman_rpc::origin(caller), &event, now).await?;
    let revocation = revoke_subject::of_session(&ended, now);
    store::revocation::insert(&mut tx, caller.company, &[revocation]).await?;
    tx.commit().await?;
    app.committed(true);
    Ok(())
}
