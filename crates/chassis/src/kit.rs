//! What a service is handed to assemble itself from.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretSlice};
use taskman_access::{Access, Decide, Decision, Question, RemoteDecide};
use taskman_cache::Cache;
use taskman_clock::SharedClock;
use taskman_identity::{KeySet, RevocationList};
use taskman_limits::{Limiter, Quotas};
use taskman_messaging::Outbox;
use taskman_postgres::Db;
use taskman_rpc::client::{Channel, Origin};
use taskman_rpc::{Methods, UpstreamError};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::config::IdentityConfig;
use crate::lifecycle::usual_port;

/// The dependencies of a service, ready to use; cheap to clone.
#[derive(Clone)]
pub struct Kit(pub(crate) Arc<Contents>);

pub(crate) struct Contents {
    pub(crate) name: &'static str,
    pub(crate) clock: SharedClock,
    pub(crate) methods: Methods,
    pub(crate) db: Option<Db>,
    pub(crate) outbox: Option<Outbox>,
    pub(crate) cache: Cache,
    pub(crate) limiter: Limiter,
    pub(crate) quotas: Quotas,
    pub(crate) access: Access,
    pub(crate) decide: Arc<SwitchedDecide>,
    pub(crate) origin: Origin,
    pub(crate) upstreams: BTreeMap<String, String>,
    pub(crate) messaging: taskman_messaging::Config,
    pub(crate) identity: IdentityConfig,
    pub(crate) secret: Option<SecretSlice<u8>>,
    pub(crate) keys: KeySet,
    pub(crate) revocations: RevocationList,
    pub(crate) stopping: CancellationToken,
    pub(crate) health: HealthReporter,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl Kit {
    /// Returns the name of the service.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Returns the clock.
    pub fn clock(&self) -> SharedClock {
        Arc::clone(&self.0.clock)
    }

    /// Returns the table of methods.
    pub fn methods(&self) -> Methods {
        self.0.methods.clone()
    }

    /// Returns the database; fails for a service that has no migrations.
    pub fn db(&self) -> anyhow::Result<Db> {
        self.0.db.clone().context("the service has no database")
    }

    /// Returns the handle that wakes the relay after a commit; fails for a service that has no database.
    pub fn outbox(&self) -> anyhow::Result<Outbox> {
        self.0.outbox.clone().context("the service has no database, so no outbox")
    }

    /// Returns the cache; it works without Redis.
    pub fn cache(&self) -> Cache {
        self.0.cache.clone()
    }

    /// Returns the rate limiter; it works without Redis.
    pub fn limiter(&self) -> Limiter {
        self.0.limiter.clone()
    }

    /// Returns the configured rate limits.
    pub fn quotas(&self) -> Quotas {
        self.0.quotas
    }

    /// Returns the enforcement layer, for what a request implies beyond its method.
    pub fn access(&self) -> Access {
        self.0.access.clone()
    }

    /// Returns how to reach RabbitMQ, for consumers.
    pub fn messaging(&self) -> taskman_messaging::Config {
        self.0.messaging.clone()
    }

    /// Returns what tokens are issued with.
    pub fn identity(&self) -> &IdentityConfig {
        &self.0.identity
    }

    /// Returns the keys that tokens are verified with. Only the authentication service changes them itself.
    pub fn keys(&self) -> KeySet {
        self.0.keys.clone()
    }

    /// Returns the revocations that are known. Only the authentication service changes them itself.
    pub fn revocations(&self) -> RevocationList {
        self.0.revocations.clone()
    }

    /// Returns the token that is cancelled when the service begins to stop: streams end then.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Returns gRPC health, which the chassis keeps up to date: for a service with a server of its own. All others have it
    /// served by the chassis.
    pub fn health(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.0.health.clone()))
    }

    /// Makes a channel to another service. Nothing is connected yet.
    pub fn channel(&self, peer: &'static str) -> anyhow::Result<Channel> {
        channel(&self.0.upstreams, &self.0.origin, peer)
    }

    /// Makes decisions in process from now on: for the authorization service alone.
    pub fn decide_locally(&self, decide: Arc<dyn Decide>) -> anyhow::Result<()> {
        self.0.decide.local.set(decide).ok().context("decisions are local already")
    }

    /// Makes a key for the purpose `label` from the service's own secret: the same on every replica and after a restart.
    pub fn derive_key(&self, label: &str) -> anyhow::Result<[u8; 32]> {
        use aws_lc_rs::hkdf;
        let secret =
            self.0.secret.as_ref().context("identity.secret_key is not set: `taskman keys fleet` makes one")?;
        let info = [b"taskman/", self.0.name.as_bytes(), b"/", label.as_bytes()];
        let mut key = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"taskman")
            .extract(secret.expose_secret())
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| anyhow::anyhow!("the cryptographic library failed"))?;
        Ok(key)
    }

    /// Returns what seals page tokens: for this service's lists, valid on every replica.
    pub fn page_tokens(&self) -> anyhow::Result<taskman_paging::TokenSealer> {
        Ok(taskman_paging::TokenSealer::new(&self.derive_key("page-tokens")?, None))
    }
}

pub(crate) fn channel(
    upstreams: &BTreeMap<String, String>,
    origin: &Origin,
    peer: &'static str,
) -> anyhow::Result<Channel> {
    let usual = || format!("http://127.0.0.1:{}", usual_port(peer));
    let address = upstreams.get(peer).cloned().unwrap_or_else(usual);
    Channel::new(peer, &address, origin.clone()).with_context(|| format!("upstreams.{peer} is no address"))
}

/// Decides remotely, or locally where the service is the one that decides.
#[derive(Debug)]
pub(crate) struct SwitchedDecide {
    pub(crate) local: OnceLock<Arc<dyn Decide>>,
    pub(crate) remote: RemoteDecide,
}

#[async_trait]
impl Decide for SwitchedDecide {
    async fn decide(&self, question: Question<'_>) -> Result<Decision, UpstreamError> {
        match self.local.get() {
            Some(local) => local.decide(question).await,
            None => self.remote.decide(question).await,
        }
    }
}
