//! Roles, policies and who holds them.
//!
//! A company gets its roles and policies with `app::provision_company`, as `domain::defaults` says; after that,
//! assignments change with `app::assign_role_to_user`, `app::revoke_role_from_user`, the arrival of invited users
//! (`consumers::user_created`) and the passing of time (`jobs::expire_roles`). Every such transaction locks the row of
//! its company, so that rules about the last administrator are decided one after the other, and leaves a numbered row in
//! `iam_changes`, from which `app::watch_changes` feeds the authorization service within milliseconds. This service
//! decides nothing about others' calls.
//!
//! Further modules than every service has: `app::give_role` is what all ways to a role have in common,
//! `app::idempotent` answers repeated requests.

mod app;
mod config;
mod consumers;
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
use taskman_proto::iam::iam_admin_service_server::IamAdminServiceServer;

pub use config::Config;

use crate::app::App;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The IAM admin service.
#[derive(Debug)]
pub struct IamAdminService;

#[async_trait]
impl Service for IamAdminService {
    const NAME: &'static str = "iam-admin";
    type Config = Config;

    fn migrator() -> Option<&'static sqlx::migrate::Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let app = Arc::new(App::new(&kit)?);
        let (expiring, purging) = (Arc::clone(&app), Arc::clone(&app));
        let expire = Job::every("expire_roles", config.expire_roles_every(), move || {
            jobs::expire_roles::run(Arc::clone(&expiring))
        });
        let purge = Job::every("purge_idempotency_keys", config.purge_idempotency_keys_every(), move || {
            let app = Arc::clone(&purging);
            async move { idempotency::purge(&app.db, app.clock.now()).await.map(|_| ()) }
        });
        Ok(Parts::new()
            .serve(IamAdminServiceServer::new(grpc::Iam(Arc::clone(&app))))
            .serve(ResourceAttributesServiceServer::new(grpc::Attributes(app)))
            .consume(consumers::default_role(&kit)?)
            .job(expire)
            .job(purge))
    }
}
