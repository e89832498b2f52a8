//! Credentials, sessions, tokens and links: who somebody is, and for how long.
//!
//! A login asks the other services who has the address and which roles they have (`clients`), counts the attempt, has the
//! password hashed in a bounded pool (`hashing`), and opens a session whose access token the `keyring` signs. The rules
//! are in `domain`: how sessions end, what a used refresh token means, when a link opens, how long a guesser waits.
//! `secrets` holds the keys that are derived from the service's own secret.
//!
//! What ends before its time is a revocation: numbered in the transaction that revokes, and told to every process that
//! verifies tokens (`revocations`). No broker is in that way; the `consumers` are a second one for calls that were lost.
//!
//! No e-mail address is kept, and of no password, token or link more than a hash.

mod app;
mod clients;
mod config;
mod consumers;
mod domain;
mod error;
mod grpc;
mod hashing;
mod jobs;
mod keyring;
mod metrics;
mod revocations;
mod secrets;
mod store;

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use sqlx::migrate::Migrator;
use taskman_chassis::{Job, Kit, Parts, Service};
use taskman_events::subscription;
use taskman_identity::TokenVerifier;
use taskman_messaging::Consumer;
use taskman_proto::authentication::authentication_service_server::AuthenticationServiceServer;

use crate::app::App;
pub use crate::config::Config;

static MIGRATOR: Migrator = sqlx::migrate!();

/// The authentication service.
#[derive(Debug)]
pub struct AuthenticationService;

#[async_trait]
impl Service for AuthenticationService {
    const NAME: &'static str = "authentication";

    type Config = Config;

    fn migrator() -> Option<&'static Migrator> {
        Some(&MIGRATOR)
    }

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let app = Arc::new(assemble_app(&kit, &config)?);
        app.keyring.rotate().await.context("the signing keys")?;
        let subscription = subscription(consumers::QUEUE).context("the subscription of the service")?;
        let handlers = consumers::handlers(&app.clock);
        let consumer = Consumer::new(kit.db()?, kit.messaging(), Self::NAME, subscription, handlers);
        let feed = Arc::clone(&app.revocations);
        let parts = Parts::new()
            .serve(AuthenticationServiceServer::new(grpc::Authentication(Arc::clone(&app))))
            .consume(consumer.with_clock(kit.clock()))
            .job(Job::run("follow_revocations", move |stop| async move { feed.follow(stop).await }));
        Ok(jobs::all(&app, &config).into_iter().fold(parts, Parts::job))
    }
}

fn assemble_app(kit: &Kit, config: &Config) -> anyhow::Result<App> {
    let identity = kit.identity();
    let (keys, revoked) = (kit.keys(), kit.revocations());
    let (issuer, audience) = (identity.issuer.clone(), identity.audience.clone());
    Ok(App {
        db: kit.db()?,
        outbox: kit.outbox()?,
        clients: clients::Clients::new(kit.channel("user")?, kit.channel("iam-admin")?),
        clock: kit.clock(),
        keyring: keyring::Keyring::new(kit, config)?,
        hashing: hashing::Hashing::new(config),
        secrets: secrets::Secrets::derive(kit)?,
        revocations: Arc::new(revocations::Feed::new(kit.db()?, kit.clock(), revoked.clone(), kit.stopping())),
        verifier: TokenVerifier::new(keys, issuer.as_str(), audience.as_str(), kit.clock(), revoked),
        issuer,
        audience,
    })
}
