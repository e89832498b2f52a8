//! Records denials: in batches, so that whoever tries doors costs the database little.

use std::sync::Arc;
use std::time::Duration;

use taskman_events::Origin;
use taskman_events::authz::DecisionDenied;
use taskman_messaging::outbox;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::Error;
use crate::metrics;

/// So many are recorded in one transaction.
const BATCH: usize = 200;
/// How long a transaction may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Records the denials of each second when it is over, and those that are left when stopped.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut turns = tokio::time::interval(Duration::from_millis(app.config.record_denials_ms.max(1)));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let finished = app.denials().take_finished(app.clock.now());
        record(&app, finished).await;
    }
    let all = app.denials().take_all();
    record(&app, all).await;
}

async fn record(app: &App, mut denials: Vec<(Origin, DecisionDenied)>) {
    let lost = app.denials().take_lost();
    if lost > 0 {
        metrics::lost_denials(lost);
        tracing::error!(denials.lost = lost, "denials were not recorded: there were too many at once");
    }
    while !denials.is_empty() {
        let rest = denials.split_off(denials.len().min(BATCH));
        let written = tokio::time::timeout(WRITE_TIMEOUT, write(app, &denials)).await;
        match written {
            Ok(Ok(())) => denials = rest,
            failed => {
                let error = failed.err().map_or_else(|| "the database failed".to_owned(), |late| late.to_string());
                tracing::warn!(error, "denials could not be recorded; they are kept");
                app.denials().give_back(denials.into_iter().chain(rest));
                return;
            }
        }
    }
}

async fn write(app: &App, denials: &[(Origin, DecisionDenied)]) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    for (origin, event) in denials {
        outbox::record(&mut tx, origin, event, event.last_at).await?;
    }
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}
