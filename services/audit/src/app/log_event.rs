//! Records something that a service tells directly, without an event.

use crate::app::{App, write};
use crate::domain::event::Event;
use crate::error::Error;

/// Writes the record and answers once it is stored; `false` when it was there already.
pub(crate) async fn log_event(app: &App, event: Event) -> Result<bool, Error> {
    let mut tx = app.db.begin().await?;
    let new = write::write(app, &mut tx, vec![event]).await?;
    tx.commit().await?;
    Ok(new > 0)
}
