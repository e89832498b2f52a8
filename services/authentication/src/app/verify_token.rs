//! Says whether an access token is valid at this moment.

use taskman_identity::{Caller, Client};

use super::App;
use crate::error::Error;
use crate::store;

/// Returns whose token it is; `None` when it is not valid. The session is looked up each time: this is the exact answer.
pub(crate) async fn verify_token(app: &App, client: &Client, token: &str) -> Result<Option<Caller>, Error> {
    let Ok(verified) = app.verifier.verify(token, client.clone()) else { return Ok(None) };
    let caller = verified.caller;
    let ids = (caller.company, caller.session);
    let open = store::session::is_open(app.db.primary(), ids, caller.issued_at, app.clock.now()).await?;
    Ok(open.then_some(caller))
}
