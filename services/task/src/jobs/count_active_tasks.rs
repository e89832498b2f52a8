//! Counts the active tasks of all companies for the metrics.

use taskman_postgres::Db;

use crate::domain::task::Status;
use crate::error::Error;
use crate::{metrics, store};

/// Counts once. A state without tasks is shown as 0, not as what it was before.
pub(crate) async fn run(db: &Db) -> Result<(), Error> {
    let counts = store::task::count_active(db.read()).await?;
    for status in Status::ACTIVE {
        let count = counts.iter().find(|(counted, _)| *counted == status).map_or(0, |(_, count)| *count);
        metrics::active_tasks(status, count);
    }
    Ok(())
}
