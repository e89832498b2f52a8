//! What a service tells the chassis.

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::kit::Kit;
use crate::parts::Parts;

/// One of the eight.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// The name, as in `services/<name>`, in configuration, logs, metrics and vouchers.
    const NAME: &'static str;

    /// What only this service has to be told. The default is right for development.
    type Config: DeserializeOwned + Default + Clone + std::fmt::Debug + Send + Sync + 'static;

    /// Returns the migrations of the service's database; `None` for a service without one.
    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        None
    }

    /// Builds the parts. The database is migrated by then; nothing else is connected yet, and nothing here may wait for
    /// another service.
    async fn assemble(kit: Kit, config: Self::Config) -> anyhow::Result<Parts>;
}
