//! Tells people that a task is theirs.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_events::Envelope;
use taskman_events::task::TaskAssigned;
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
    let event: TaskAssigned = envelope.data()?;
    // Nobody needs a mail about what they did themselves.
    if event.assignee_id == event.by {
        return Ok(None);
    }
    let mut intent = plain(envelope, event.assignee_id, "task_assigned");
    let task = event.task;
    let priority = format!("{:?}", task.priority).to_lowercase();
    let values = [("task_key", task.key), ("task_title", task.title), ("priority", priority)];
    intent.variables.extend(values.map(|(name, value)| (name.to_owned(), value)));
    if let Some(due) = task.due_date {
        intent.variables.insert("due_date".to_owned(), due.format("%Y-%m-%d %H:%M UTC").to_string());
    }
    Ok(Some(intent))
}
