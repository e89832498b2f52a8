//! What comes from the broker: a second way for what `RevokeSubject` does at once, should that call have been lost.
//!
//! An event may be late, and its subject may be back: so only the sessions end that began before it, each for itself.

mod company_suspended;
mod user_deactivated;
mod user_deleted;

use taskman_clock::SharedClock;
use taskman_events::{Envelope, Origin};
use taskman_ids::CompanyId;
use taskman_messaging::Handlers;
use uuid::Uuid;

use crate::error::Error;

/// The queue of this service.
pub(crate) const QUEUE: &str = "authentication.subjects";

/// Returns what is done with which event.
pub(crate) fn handlers(clock: &SharedClock) -> Handlers {
    Handlers::new()
        .on_key("user.deactivated", user_deactivated::UserDeactivated(SharedClock::clone(clock)))
        .on_key("user.deleted", user_deleted::UserDeleted(SharedClock::clone(clock)))
        .on_key("company.suspended", company_suspended::CompanySuspended(SharedClock::clone(clock)))
}

/// Describes what follows from an event.
fn origin(cause: &Envelope) -> Origin {
    Origin::following(cause, "authentication")
}

/// Returns the id of the record that an event is about; of the event nothing else is needed.
fn target(envelope: &Envelope, kind: &str) -> Result<(CompanyId, Uuid), Error> {
    let (found, id) = envelope.target();
    let id = Uuid::try_parse(id).ok().filter(|_| found == kind).ok_or(Error::Damaged("subject"))?;
    Ok((envelope.company_id, id))
}
