//! Sends the link to choose a new password.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_events::Envelope;
use taskman_events::auth::PasswordResetRequested;
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
    let event: PasswordResetRequested = envelope.data()?;
    Ok(Some(Intent { link: Some(event.link_request_id), ..plain(envelope, event.user_id, "password_reset") }))
}
