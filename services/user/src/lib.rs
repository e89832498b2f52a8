//! Companies and users.
//!
//! Sign-up is [`app::register_company`]: it may be repeated at every step, and [`jobs::finish_signups`] does so after a
//! crash. Whoever is created, activated or deactivated leaves a numbered row in `user_changes`, from which
//! [`app::watch_changes`] feeds the authorization service within milliseconds. Deactivation ends the user's sessions
//! before it answers; [`jobs::repeat_revocations`] makes up for an authentication service that was away.
//!
//! Further modules than every service has: [`app::watch_changes::Changes`] wakes the streams after a commit.

pub mod app;
mod clients;
pub mod config;
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
use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesServiceServer;
use taskman_proto::user::user_service_server::UserServiceServer;

use crate::app::App;
use crate::config::Config;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The user service.
#[derive(Debug)]
pub struct UserService;

#[async_trait]
impl Service for UserService {
    const NAME: &'static str = "user";
    type Config = Config;

    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let app = Arc::new(App::new(&kit)?);
        let (signups, revocations, keys, gauges) = (app.clone(), app.clone(), app.clone(), app.clone());
        let repeat = Duration::from_millis(config.repeat_ms);
        Ok(Parts::new()
            .serve(UserServiceServer::new(grpc::Users::new(app.clone())))
            .serve(ResourceAttributesServiceServer::new(grpc::Attributes::new(app)))
            .job(Job::every("finish_signups", repeat, move || jobs::finish_signups::run(signups.clone())))
            .job(Job::every("repeat_revocations", repeat, move || jobs::repeat_revocations::run(revocations.clone())))
            .job(Job::every("purge_idempotency_keys", Duration::from_hours(1), move || {
                jobs::purge_idempotency_keys::run(keys.clone())
            }))
            .job(Job::every("count_users", Duration::from_secs(30), move || metrics::count_users(gauges.clone()))))
    }
}
