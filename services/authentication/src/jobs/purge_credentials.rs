//! Deletes the passwords of sign-ups that did not come to their end.

use chrono::TimeDelta;

use crate::app::App;
use crate::error::Error;
use crate::store;

/// A sign-up has this long to make its user.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// How many one turn looks at.
const BATCH: i64 = 100;

/// Does one turn: a password that was never used goes, unless the user service knows its user.
pub(crate) async fn run(app: &App) -> Result<(), Error> {
    let before = app.clock.now() - PATIENCE;
    for (company, user) in store::credential::list_pending(app.db.primary(), before, BATCH).await? {
        match app.clients.subject_by_id(user).await? {
            Some(_) => store::credential::keep(app.db.primary(), company, user).await?,
            None => store::credential::delete_pending(app.db.primary(), (company, user), before).await?,
        }
    }
    Ok(())
}
