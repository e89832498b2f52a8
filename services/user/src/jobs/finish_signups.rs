//! Finishes sign-ups that a crash, or a service that was away, has left half done.

use std::sync::Arc;

use chrono::TimeDelta;
use taskman_events::Origin;

use crate::app::{App, register_company};
use crate::error::Error;
use crate::store;

/// A sign-up that is younger may still be at work itself.
const PATIENCE: TimeDelta = TimeDelta::seconds(30);

/// Repeats the last two steps for each company that waits for them.
pub(crate) async fn run(app: Arc<App>) -> Result<(), Error> {
    let before = app.clock.now() - PATIENCE;
    let mut conn = app.db.primary().acquire().await?;
    let waiting = store::company::list_provisioning(&mut conn, before).await?;
    drop(conn);
    for company in waiting {
        // One that cannot be finished does not hold up the others.
        match register_company::open(&app, company.id, company.admin_id, &Origin::system(company.id)).await {
            Ok(_) => tracing::info!(company.id = %company.id, "finished a sign-up"),
            Err(error) => tracing::warn!(company.id = %company.id, %error, "a sign-up is still not finished"),
        }
    }
    Ok(())
}
