//! What the audit service does with events: it keeps them all.

mod every_event;

use std::sync::Arc;

use anyhow::Context as _;
use taskman_chassis::{Kit, Service as _};
use taskman_events::subscription;
use taskman_messaging::{Consumer, Handlers};

use self::every_event::EveryEvent;
use crate::AuditService;
use crate::app::App;

/// Returns the consumer of the queue that receives everything, in batches.
pub(crate) fn all(kit: &Kit, app: Arc<App>) -> anyhow::Result<Consumer> {
    let subscription = subscription("audit.all").context("the audit service has no subscription")?;
    let handlers = Handlers::batch(EveryEvent(app));
    Ok(Consumer::new(kit.db()?, kit.messaging(), AuditService::NAME, subscription, handlers).with_clock(kit.clock()))
}
