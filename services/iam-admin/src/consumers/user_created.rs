//! Gives the default role to a user who was invited.

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_clock::SharedClock;
use taskman_events::user::{UserCreated, UserOrigin};
use taskman_events::{Envelope, Origin};
use taskman_messaging::{Failed, Handler};

use crate::app::give_role::{GiveRole, give_role};
use crate::domain::role::{DEFAULT, Role};
use crate::error::Error;
use crate::{metrics, store};

/// Handles `user.created`.
#[derive(Debug)]
pub(crate) struct GiveDefaultRole {
    clock: SharedClock,
}

impl GiveDefaultRole {
    pub(crate) const fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Handler for GiveDefaultRole {
    async fn on(&self, tx: &mut Transaction<'_, Postgres>, envelope: &Envelope) -> Result<(), Failed> {
        let created: UserCreated = envelope.data()?;
        // Who signed the company up is its administrator already.
        if created.origin == UserOrigin::Invited {
            self.give(tx, envelope, created).await?;
        }
        Ok(())
    }
}

impl GiveDefaultRole {
    /// Gives the role. A company that is not known yet will be: the event comes again.
    async fn give(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        envelope: &Envelope,
        created: UserCreated,
    ) -> Result<(), Error> {
        let (now, company) = (self.clock.now(), envelope.company_id);
        store::company::find_for_update(tx, company).await?.ok_or(Error::NotProvisioned)?;
        let role = store::role::get(tx, company, Role::system_id(company, DEFAULT)).await?;
        let gift = GiveRole { role, user: created.user.id, by: None, expires_at: None };
        let (_, changed) = give_role(tx, &Origin::following(envelope, "iam-admin"), gift, now).await?;
        if changed.is_some() {
            metrics::assigned();
        }
        Ok(())
    }
}
