//! The events that people get mail about.

mod password_changed;
mod password_reset_requested;
mod task_assigned;
mod task_completed;
mod user_created;

use std::sync::Arc;

use anyhow::Context as _;
use sqlx::{Postgres, Transaction};
use taskman_chassis::Kit;
use taskman_events::auth::{PasswordReset, PasswordResetRequested};
use taskman_events::task::{TaskAssigned, TaskCompleted};
use taskman_events::user::UserCreated;
use taskman_events::{Envelope, Origin, subscription};
use taskman_ids::NotificationId;
use taskman_messaging::{Consumer, Handlers};

use crate::app::App;
use crate::domain::notification::Intent;
use crate::error::Error;
use crate::store;

/// Consumes the queue `notification.mail`.
pub(crate) fn mail(kit: &Kit, app: &Arc<App>) -> anyhow::Result<Consumer> {
    let subscription = subscription("notification.mail").context("the queue is not in the table of subscriptions")?;
    let handlers = Handlers::new()
        .on::<UserCreated>(user_created::Handler(app.clone()))
        .on::<PasswordResetRequested>(password_reset_requested::Handler(app.clone()))
        .on::<PasswordReset>(password_changed::Handler(app.clone()))
        .on::<TaskAssigned>(task_assigned::Handler(app.clone()))
        .on::<TaskCompleted>(task_completed::Handler(app.clone()));
    Ok(Consumer::new(kit.db()?, kit.messaging(), kit.name(), subscription, handlers).with_clock(kit.clock()))
}

/// Writes what an event asks for into its transaction, and wakes the sender. Should it look before the commit, it looks
/// again soon.
async fn intend(
    app: &App,
    tx: &mut Transaction<'_, Postgres>,
    envelope: &Envelope,
    intent: Intent,
) -> Result<(), Error> {
    let origin = Origin::following(envelope, "notification");
    store::notification::insert(tx, NotificationId::new(), &intent, &origin, app.clock.now()).await?;
    app.due.notify_one();
    Ok(())
}

/// An intent without variables and link.
fn plain(envelope: &Envelope, recipient: taskman_ids::UserId, template: &'static str) -> Intent {
    Intent {
        company: envelope.company_id,
        recipient,
        template,
        variables: std::collections::BTreeMap::new(),
        link: None,
        source: envelope.id.as_uuid(),
    }
}
