//! Clears away assignments that have come to their end, and tells of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use taskman_errors::Failure as _;
use taskman_events::Origin;
use taskman_messaging::outbox;

use crate::app::App;
use crate::app::give_role::record_change;
use crate::error::Error;
use crate::store::assignment::Ended;
use crate::{metrics, store};

/// So many assignments end in one turn; the rest waits for the next.
const BATCH: i64 = 200;

/// Ends what is over by now, each in a transaction of its own.
pub(crate) async fn run(app: Arc<App>) -> Result<(), Error> {
    let now = app.clock.now();
    let mut conn = app.db.primary().acquire().await?;
    let ended = store::assignment::list_ended(&mut conn, now, BATCH).await?;
    drop(conn);
    for ended in ended {
        match expire(&app, ended, now).await {
            Ok(()) => {}
            Err(error) if error.kind().is_transient() => return Err(error),
            // One that cannot be ended must not keep the others from it.
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, user.id = %ended.user, role.id = %ended.role, "an assignment did not end");
            }
        }
    }
    Ok(())
}

async fn expire(app: &App, ended: Ended, now: DateTime<Utc>) -> Result<(), Error> {
    let Ended { company, user, role } = ended;
    let mut tx = app.db.begin().await?;
    store::company::find_for_update(&mut tx, company).await?;
    let assignment = store::assignment::find(&mut tx, company, user, role).await?;
    // Another replica was faster, or somebody has given the role again meanwhile.
    let Some(expired) = assignment.filter(|found| !found.is_held(now)).and_then(|found| found.expired()) else {
        return Ok(());
    };
    store::assignment::delete(&mut tx, company, user, role).await?;
    outbox::record(&mut tx, &Origin::system(company), &expired, now).await?;
    record_change(&mut tx, company, user, now).await?;
    tx.commit().await?;
    metrics::expired();
    app.committed();
    Ok(())
}
