//! Says whether the tokens of a session are still good, to a process that may have missed a revocation.

use chrono::{DateTime, Utc};
use taskman_ids::{CompanyId, SessionId};

use super::App;
use crate::error::Error;
use crate::store;

/// Which tokens.
#[derive(Debug)]
pub(crate) struct CheckSession {
    /// The company of the token.
    pub(crate) company: CompanyId,
    /// The session of the token.
    pub(crate) session: SessionId,
    /// When it was issued.
    pub(crate) issued_at: DateTime<Utc>,
}

/// Looks a session up.
pub(crate) async fn check_session(app: &App, cmd: CheckSession) -> Result<bool, Error> {
    let CheckSession { company, session, issued_at } = cmd;
    store::session::is_open(app.db.primary(), (company, session), issued_at, app.clock.now()).await
}
