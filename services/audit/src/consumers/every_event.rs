//! Every event becomes a record.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use taskman_events::Envelope;
use taskman_messaging::{BatchHandler, Failed};

use crate::app::{App, write};
use crate::domain::event::Event;
use crate::store;

/// The event that tells that a person is to be forgotten.
const ANONYMISED: &str = "user.anonymised";

/// Writes batches of events into the trail.
pub(super) struct EveryEvent(pub(super) Arc<App>);

#[async_trait]
impl BatchHandler for EveryEvent {
    async fn on_batch(&self, tx: &mut Transaction<'_, Postgres>, envelopes: &[&Envelope]) -> Result<(), Failed> {
        let Self(app) = self;
        let now = app.clock.now();
        let events: Vec<Event> =
            envelopes.iter().map(|envelope| Event::of_envelope(envelope, &app.schemas, now)).collect();
        let forgotten: Vec<_> = events
            .iter()
            .filter(|event| event.fact.event_type == ANONYMISED)
            .filter_map(|event| Some((event.fact.company, event.target_user()?)))
            .collect();
        write::write(app, tx, events).await?;
        for (company, user) in forgotten {
            store::subject_key::destroy(tx, company, user, now).await?;
        }
        Ok(())
    }
}
