//! Forgets replies that nobody can ask for any more.

use std::sync::Arc;

use taskman_postgres::idempotency;

use crate::app::App;
use crate::error::Error;

/// Removes what is older than a day.
pub(crate) async fn run(app: Arc<App>) -> Result<(), Error> {
    idempotency::purge(&app.db, app.clock.now()).await?;
    Ok(())
}
