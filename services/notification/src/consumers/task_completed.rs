//! Tells people that a task which they created is done.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_events::Envelope;
use taskman_events::task::TaskCompleted;
use taskman_messaging::Failed;

use crate::app::App;
use crate::consumers::{intend, plain};
use crate::domain::notification::Intent;
use crate::error::Error;

pub(super) struct Handler(pub(super) Arc<App>);

#[async_trait]
impl taskman_messaging::Handler for Handler {
    async fn on(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed> {
        if let Some(intent) = intent(envelope)? {
            intend(&self.0, tx, envelope, intent).await?;
        }
        Ok(())
    }
}

fn intent(envelope: &Envelope) -> Result<Option<Intent>, Error> {
    let event: TaskCompleted = envelope.data()?;
    // Nobody needs a mail about what they did themselves.
    if event.task.creator_id == event.completed_by {
        return Ok(None);
    }
    let mut intent = plain(envelope, event.task.creator_id, "task_completed");
    let values = [("task_key", event.task.key), ("task_title", event.task.title)];
    intent.variables.extend(values.map(|(name, value)| (name.to_owned(), value)));
    Ok(Some(intent))
}
