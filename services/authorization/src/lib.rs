//! Decides: may this subject do this action on this resource?
//!
//! Owns no rules. [`jobs::follow_iam`] and [`jobs::follow_users`] follow the streams of iam-admin and of the user service,
//! keep what they bring in memory ([`projection`]) and write it to the database, from which [`app::load`] has it again
//! after a restart. A decision takes a [`app::standpoint`] (facts fresh enough, subject, company), and [`app::judge`] puts
//! it to the policy crate; attributes of records are asked for only when the answer depends on them. No decision is ever
//! cached. Denials that stop a call are noted and recorded in batches ([`jobs::record_denials`]).
//!
//! Further modules than every service has: [`projection`], the facts in memory; [`flight`], questions that are asked once
//! at a time; [`local`], which decides the service's own calls in process.

mod app;
mod clients;
pub mod config;
pub mod domain;
pub mod error;
mod flight;
mod grpc;
mod jobs;
mod local;
mod metrics;
mod projection;
mod store;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use taskman_chassis::{Job, Kit, Parts, Service};
use taskman_proto::authorization::authorization_service_server::AuthorizationServiceServer;

use crate::app::App;
use crate::config::Config;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The authorization service.
#[derive(Debug)]
pub struct AuthorizationService;

#[async_trait]
impl Service for AuthorizationService {
    const NAME: &'static str = "authorization";
    type Config = Config;

    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let app = Arc::new(App::new(&kit, config)?);
        app::load::load(&app).await.context("the projection cannot be loaded")?;
        kit.decide_locally(Arc::new(local::LocalDecide::new(app.clone())))?;
        let (iam, users, denials, gauges) = (app.clone(), app.clone(), app.clone(), app.clone());
        Ok(Parts::new()
            .serve(AuthorizationServiceServer::new(grpc::Authorization::new(app)))
            .job(Job::run("follow_iam", move |stop| jobs::follow_iam::run(iam, stop)))
            .job(Job::run("follow_users", move |stop| jobs::follow_users::run(users, stop)))
            .job(Job::run("record_denials", move |stop| jobs::record_denials::run(denials, stop)))
            .job(Job::every("show_staleness", Duration::from_secs(1), move || {
                metrics::show_staleness(&gauges);
                async { Ok::<_, std::convert::Infallible>(()) }
            })))
    }
}
