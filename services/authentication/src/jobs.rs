//! Timed work.

mod purge_credentials;
mod purge_expired;

use std::sync::Arc;
use std::time::Duration;

use taskman_chassis::Job;

use crate::app::App;
use crate::config::Config;
use crate::error::Error;

/// Returns every job.
pub(crate) fn all(app: &Arc<App>, config: &Config) -> [Job; 4] {
    [
        every("rotate_keys", config.check_keys_every(), app, |app| async move { app.keyring.rotate().await }),
        every("reload_keys", config.reload_keys_every(), app, |app| async move { app.keyring.reload().await }),
        every("purge_expired", config.purge_every(), app, |app| async move { purge_expired::run(&app).await }),
        every("purge_credentials", config.purge_every(), app, |app| async move { purge_credentials::run(&app).await }),
    ]
}

fn every<Fut>(name: &'static str, period: Duration, app: &Arc<App>, work: fn(Arc<App>) -> Fut) -> Job
where
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    let app = Arc::clone(app);
    Job::every(name, period, move || work(Arc::clone(&app)))
}
