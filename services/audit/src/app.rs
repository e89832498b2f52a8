//! The use cases of the audit service: one file for each RPC, and what they share with the consumer.

mod keys;
pub mod log_event;
pub mod query_events;
pub mod write;

use anyhow::Context as _;
use taskman_chassis::Kit;
use taskman_clock::SharedClock;
use taskman_messaging::Outbox;
use taskman_paging::TokenSealer;
use taskman_postgres::Db;
use taskman_postgres::time_series::{Retention, Table, TimeSeries};

use crate::config::Config;
use crate::domain::personal::Schemas;
use crate::domain::seal::MasterKey;

/// The table that is cut into days.
const EVENTS: Table = Table { name: "audit_events", time_column: "occurred_at" };

/// What the use cases work with.
#[derive(Debug)]
pub struct App {
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) clock: SharedClock,
    pub(crate) pages: TokenSealer,
    pub(crate) schemas: Schemas,
    pub(crate) master: MasterKey,
    pub(crate) series: TimeSeries,
    pub(crate) retention: Retention,
}

impl App {
    /// Takes from the kit what the use cases need, and makes sure that it fits what is in the database.
    pub async fn new(kit: &Kit, config: &Config) -> anyhow::Result<Self> {
        let (db, master) = (kit.db()?, MasterKey::new(kit.derive_key("subject-keys")?));
        let mut conn = db.primary().acquire().await?;
        let checked = keys::check(&mut conn, &master).await;
        checked.context("identity.secret_key is not the one that the keys of subjects were sealed with")?;
        drop(conn);
        Ok(Self {
            series: TimeSeries::detect(&db, EVENTS).await?,
            db,
            outbox: kit.outbox()?,
            clock: kit.clock(),
            pages: kit.page_tokens()?,
            schemas: Schemas::of_the_catalogue(),
            master,
            retention: config.retention(),
        })
    }
}
