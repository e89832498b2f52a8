//! A company was suspended: the sessions of all its users end.

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_clock::SharedClock;
use taskman_events::Envelope;
use taskman_events::auth::RevocationReason;
use taskman_messaging::{Failed, Handler};

use super::{origin, target};
use crate::app::revoke_subject::revoke_each;
use crate::error::Error;
use crate::store;

/// Handles the event.
pub(super) struct CompanySuspended(pub(super) SharedClock);

#[async_trait]
impl Handler for CompanySuspended {
    async fn on(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed> {
        let (company, suspended) = target(envelope, "companies")?;
        // An operator acts for another company; the envelope names the one that the event is about.
        if company.as_uuid() != suspended {
            return Err(Error::Damaged("subject").into());
        }
        let (now, reason) = (self.0.now(), RevocationReason::CompanySuspended);
        let ended = store::session::end_of_company(tx, company, envelope.time, reason, now).await?;
        revoke_each(tx, &origin(envelope), &ended, reason, now).await?;
        Ok(())
    }
}
