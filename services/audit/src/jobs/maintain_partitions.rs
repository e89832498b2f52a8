//! Makes the days ahead, compresses those that have cooled down, and drops old ones where the configuration allows it.

use std::sync::Arc;

use crate::app::App;
use crate::error::Error;

/// Does what is due now.
pub(crate) async fn run(app: Arc<App>) -> Result<(), Error> {
    let done = app.series.maintain(app.clock.now(), app.retention).await?;
    if done.compressed + done.dropped > 0 || done.dropped_stray_rows > 0 {
        tracing::info!(
            audit.days_created = done.created,
            audit.days_compressed = done.compressed,
            audit.days_dropped = done.dropped,
            audit.stray_rows_dropped = done.dropped_stray_rows,
            "kept the days of the audit trail"
        );
    }
    Ok(())
}
