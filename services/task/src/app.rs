//! The use cases: one RPC, one verb, one file, one function; grouped by aggregate.

pub(crate) mod attributes;
mod cached;
pub(crate) mod change;
pub(crate) mod project;
pub(crate) mod task;

use taskman_access::Access;
use taskman_cache::Cache;
use taskman_clock::SharedClock;
use taskman_messaging::Outbox;
use taskman_paging::TokenSealer;
use taskman_postgres::Db;

use crate::clients::Users;

/// What the use cases work with.
#[derive(Debug)]
pub(crate) struct App {
    /// The database.
    pub(crate) db: Db,
    /// Wakes the relay after a commit.
    pub(crate) outbox: Outbox,
    /// The user service, which knows who can be given a task.
    pub(crate) users: Users,
    /// Decides what a request implies beyond its method.
    pub(crate) access: Access,
    /// Projects and tasks that were read or written lately.
    pub(crate) cache: Cache,
    /// The clock.
    pub(crate) clock: SharedClock,
    /// Seals page tokens.
    pub(crate) pages: TokenSealer,
}
