//! Projects and tasks: who does what until when, and who may say that it is done.
//!
//! A call comes in through `grpc`, which turns it into a command; one use case in `app` tells the whole story: it asks
//! other services (`clients`) before it opens a transaction, lets the rules in `domain` decide, and stores what they
//! return (`store`) together with the event. `app::change` is the transaction of every use case that changes something
//! and remembers replies of repeated requests; `app::cached` keeps projects and tasks at hand for reading. In `domain`,
//! `text` and `hours` are the values that people type.
//!
//! The service consumes no events. It serves the attributes of its records to the authorization service, so that policies
//! can say "the assignee may".

mod app;
mod clients;
mod config;
mod domain;
mod error;
mod grpc;
mod jobs;
mod metrics;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use taskman_chassis::{Job, Kit, Parts, Service};
use taskman_postgres::idempotency;
use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesServiceServer;
use taskman_proto::task::task_service_server::TaskServiceServer;

pub use config::Config;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The task service.
#[derive(Debug)]
pub struct TaskService;

#[async_trait]
impl Service for TaskService {
    const NAME: &'static str = "task";

    type Config = Config;

    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let (db, clock) = (kit.db()?, kit.clock());
        let app = Arc::new(app::App {
            db: db.clone(),
            outbox: kit.outbox()?,
            users: clients::Users::new(kit.channel("user")?, config.assignable_timeout()),
            access: kit.access(),
            cache: kit.cache(),
            clock: Arc::clone(&clock),
            pages: kit.page_tokens()?,
        });
        let counted = db.clone();
        let count = Job::every("count_active_tasks", config.count_active_tasks_every(), move || {
            let db = counted.clone();
            async move { jobs::count_active_tasks::run(&db).await }
        });
        let purge = Job::every("purge_idempotency_keys", config.purge_idempotency_keys_every(), move || {
            let (db, now) = (db.clone(), clock.now());
            async move { idempotency::purge(&db, now).await.map(|_| ()) }
        });
        Ok(Parts::new()
            .serve(TaskServiceServer::new(grpc::Tasks(Arc::clone(&app))))
            .serve(ResourceAttributesServiceServer::new(grpc::Attributes(app)))
            .job(count)
            .job(purge))
    }
}
