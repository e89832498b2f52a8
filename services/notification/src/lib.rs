//! Mail to people about what concerns them.
//!
//! An event becomes a row in the transaction of its inbox entry ([`consumers`]); a request becomes rows in its own. The job
//! [`jobs::send_mails`] takes each row with a lease, asks who the recipient is at that moment, has the link made if the
//! mail brings one, renders the template and hands the mail to the mail server. A mail that fails for a while is tried
//! again; one that the server refuses for good is not.
//!
//! Further modules than every service has: [`mailer`], the mail server behind its breaker.

pub mod app;
mod clients;
pub mod config;
pub mod consumers;
pub mod domain;
pub mod error;
mod grpc;
pub mod jobs;
pub mod mailer;
mod metrics;
mod store;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskman_chassis::{Job, Kit, Parts, Service};
use taskman_proto::notification::notification_service_server::NotificationServiceServer;

use crate::app::App;
use crate::config::Config;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The notification service.
#[derive(Debug)]
pub struct NotificationService;

#[async_trait]
impl Service for NotificationService {
    const NAME: &'static str = "notification";
    type Config = Config;

    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let app = Arc::new(App::new(&kit, config)?);
        let (sender, keys) = (app.clone(), app.clone());
        Ok(Parts::new()
            .serve(NotificationServiceServer::new(grpc::Notifications::new(app.clone())))
            .consume(consumers::mail(&kit, &app)?)
            .job(Job::run("send_mails", move |stop| jobs::send_mails::run(sender, stop)))
            .job(Job::every("purge_idempotency_keys", Duration::from_hours(1), move || {
                jobs::purge_idempotency_keys::run(keys.clone())
            })))
    }
}
