//! The use cases of the IAM admin service: one file for each RPC.

pub(crate) mod assign_role_to_user;
pub(crate) mod get_subject_roles;
pub(crate) mod give_role;
pub(crate) mod idempotent;
pub(crate) mod list_roles;
pub(crate) mod list_user_roles;
pub(crate) mod provision_company;
pub(crate) mod resource_attributes;
pub(crate) mod revoke_role_from_user;
pub(crate) mod watch_changes;

use taskman_chassis::Kit;
use taskman_clock::SharedClock;
use taskman_messaging::Outbox;
use taskman_paging::TokenSealer;
use taskman_postgres::Db;
use tokio_util::sync::CancellationToken;

use self::watch_changes::Wake;
use crate::domain::defaults::Defaults;

/// What the use cases work with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) clock: SharedClock,
    pub(crate) pages: TokenSealer,
    pub(crate) defaults: Defaults,
    pub(crate) streams: Wake,
    pub(crate) stopping: CancellationToken,
}

impl App {
    /// Takes from the kit what the use cases need.
    pub(crate) fn new(kit: &Kit) -> anyhow::Result<Self> {
        Ok(Self {
            db: kit.db()?,
            outbox: kit.outbox()?,
            clock: kit.clock(),
            pages: kit.page_tokens()?,
            defaults: Defaults::load()?,
            streams: Wake::default(),
            stopping: kit.stopping(),
        })
    }

    /// Wakes the relay and the streams after a commit that they have to hear of.
    pub(crate) fn committed(&self) {
        self.outbox.wake();
        self.streams.wake();
    }
}
