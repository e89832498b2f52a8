//! The business metrics of the user service.

use std::sync::Arc;

use crate::app::App;
use crate::error::Error;
use crate::store;

/// Measures how many users there are. No company label: there are as many companies as there are customers.
pub(crate) async fn count_users(app: Arc<App>) -> Result<(), Error> {
    let mut conn = app.db.read().acquire().await?;
    for (active, count) in store::user::count(&mut conn).await? {
        let label = if active { "true" } else { "false" };
        #[expect(clippy::cast_precision_loss, reason = "a gauge; nobody has 2^52 users")]
        metrics::gauge!("taskman_users_total", "service" => "user", "active" => label).set(count as f64);
    }
    Ok(())
}
