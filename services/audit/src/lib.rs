//! What happened, who did it, to what, and with which result.
//!
//! Every event of the fleet comes through the queue `audit.all` (`consumers`) and becomes one row; a service that has
//! something to record without an event calls [`app::log_event`]. Both go one way: [`domain::event`] makes the record,
//! [`domain::personal`] takes out what is about persons, [`domain::seal`] seals it with the keys of those persons, and
//! the row is inserted unless its key `(occurred_at, id)` is there already. The database refuses to change a row.
//!
//! [`app::query_events`] opens what is sealed. A person is forgotten by destroying their key: their rows stay, and what
//! was about them cannot be read by anybody. A look into the trail is itself an event, which comes back as a row.

pub mod app;
pub mod config;
mod consumers;
pub mod domain;
pub mod error;
mod grpc;
pub mod jobs;
mod metrics;
mod store;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskman_chassis::{Job, Kit, Parts, Service};
use taskman_proto::audit::audit_service_server::AuditServiceServer;

use crate::app::App;
use crate::config::Config;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The audit service.
#[derive(Debug)]
pub struct AuditService;

#[async_trait]
impl Service for AuditService {
    const NAME: &'static str = "audit";
    type Config = Config;

    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let app = Arc::new(App::new(&kit, &config).await?);
        // Before the first row: it needs the partition of its day.
        jobs::maintain_partitions::run(app.clone()).await?;
        let (partitions, every) = (app.clone(), Duration::from_secs(config.maintain_every_s));
        Ok(Parts::new()
            .serve(AuditServiceServer::new(grpc::Audit::new(app.clone())))
            .consume(consumers::all(&kit, app)?)
            .job(Job::every("maintain_partitions", every, move || jobs::maintain_partitions::run(partitions.clone()))))
    }
}
