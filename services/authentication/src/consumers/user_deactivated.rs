//! A user was deactivated: their sessions end.

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_clock::SharedClock;
use taskman_events::Envelope;
use taskman_events::auth::RevocationReason;
use taskman_ids::UserId;
use taskman_messaging::{Failed, Handler};

use super::{origin, target};
use crate::app::revoke_subject::revoke_each;
use crate::store;

/// Handles the event.
pub(super) struct UserDeactivated(pub(super) SharedClock);

#[async_trait]
impl Handler for UserDeactivated {
    async fn on(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed> {
        let (company, user) = target(envelope, "users")?;
        let (now, reason) = (self.0.now(), RevocationReason::UserDeactivated);
        let ids = (company, UserId::from_uuid(user));
        let ended = store::session::end_of_user(tx, ids, envelope.time, reason, now).await?;
        revoke_each(tx, &origin(envelope), &ended, reason, now).await?;
        Ok(())
    }
}
