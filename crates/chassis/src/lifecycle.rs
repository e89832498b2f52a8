//! Starts a service, and stops it in the order in which nothing is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretSlice};
use taskman_access::{Access, AccessLayer, Assembly, Issuer, RemoteDecide};
use taskman_cache::Cache;
use taskman_identity::{KeySet, RevocationList, TokenVerifier, VerifyingKey, VoucherKeys};
use taskman_limits::Limiter;
use taskman_messaging::Relay;
use taskman_postgres::Db;
use taskman_rpc::client::Origin;
use taskman_rpc::server::ServerLayer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tracing::Instrument as _;

use crate::admin::{self, Readiness};
use crate::config::{Config, IdentityConfig, ServerConfig};
use crate::jobs::{Job, Tasks};
use crate::kit::{Contents, Kit, SwitchedDecide, channel};
use crate::parts::Parts;
use crate::process::Process;
use crate::revocations;
use crate::service::Service;

/// The service whose keys and revocations the others follow.
const AUTHENTICATION: &str = "authentication";

/// The ports of a service, bound before it starts so that others can know them.
#[derive(Debug)]
pub struct Listeners {
    /// For calls.
    pub calls: TcpListener,
    /// For health and metrics.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds the ports that the configuration names.
    pub async fn bind(name: &str, config: &ServerConfig) -> anyhow::Result<Self> {
        let usual = usual_port(name);
        Ok(Self { calls: bind(&config.listen, usual).await?, admin: bind(&config.admin_listen, usual + 1_000).await? })
    }
}

async fn bind(address: &str, usual: u16) -> anyhow::Result<TcpListener> {
    let usual = format!("127.0.0.1:{usual}");
    let address = if address.is_empty() { usual.as_str() } else { address };
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Returns the port that a service has where nothing else is configured.
pub const fn usual_port(name: &str) -> u16 {
    match name.as_bytes() {
        b"authentication" => 50_051,
        b"authorization" => 50_052,
        b"user" => 50_053,
        b"iam-admin" => 50_054,
        b"task" => 50_055,
        b"audit" => 50_056,
        b"notification" => 50_057,
        _ => 8_080,
    }
}

/// A service at work.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    address: SocketAddr,
    admin: SocketAddr,
    server: ServerConfig,
    tokens: Tokens,
    tasks: Tasks,
    calls: Tasks,
    relays: Tasks,
    db: Option<Db>,
    readiness: Readiness,
    span: tracing::Span,
}

/// One for each step of the end (operations.md 2.5).
#[derive(Debug, Clone, Default)]
struct Tokens {
    /// No longer ready; streams end.
    stopping: CancellationToken,
    /// No new calls.
    calls: CancellationToken,
    /// No new messages, no new turns of jobs.
    work: CancellationToken,
    /// The relay has sent what there was to send.
    relay: CancellationToken,
}

/// How a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Everything ended within its time.
    pub in_time: bool,
    /// How many tasks panicked, or ended before their time, while it ran.
    pub panics: usize,
}

/// Starts a service on bound ports. It answers when the database is migrated and everything is set to work.
pub async fn start<S: Service>(
    config: Config<S::Config>,
    listeners: Listeners,
    process: Process,
) -> anyhow::Result<Running> {
    let span = taskman_telemetry::service_span(S::NAME);
    start_within::<S>(config, listeners, process, span.clone()).instrument(span).await
}

async fn start_within<S: Service>(
    config: Config<S::Config>,
    listeners: Listeners,
    process: Process,
    span: tracing::Span,
) -> anyhow::Result<Running> {
    let tokens = Tokens::default();
    let db = database::<S>(&config).await?;
    let relay = match &db {
        Some(db) => Some(Relay::new(db.clone(), config.rabbitmq.clone(), S::NAME)),
        None => None,
    };
    let (kit, followers) = kit::<S>(&config, &process, db.clone(), relay.as_ref(), &tokens)?;
    let (access, reporter, health) = (kit.access(), kit.0.health.clone(), kit.health());
    let mut parts = S::assemble(kit, config.service).await.context("the service cannot be assembled")?;
    parts.jobs.extend(followers);

    let (tasks, readiness) = (Tasks::default(), Readiness::default());
    let (calls, relays) = (tasks.group(), tasks.group());
    let (address, admin) = (listeners.calls.local_addr()?, listeners.admin.local_addr()?);
    if let Some(db) = db.clone() {
        let pool = db.clone();
        parts = parts.check("database", move || {
            let db = db.clone();
            async move { db.check().await.is_ok() }
        });
        parts.jobs.push(Job::every("observe_pool", Duration::from_secs(5), move || {
            pool.observe();
            async { Ok::<_, std::convert::Infallible>(()) }
        }));
    }
    let checks = admin::watch(
        readiness.clone(),
        std::mem::take(&mut parts.checks),
        reporter,
        parts.health_names(),
        tokens.stopping.clone(),
    );
    tasks.spawn("readiness", checks);
    let render = Arc::clone(&process.metrics);
    let metrics = move || render(S::NAME);
    let admin_port = admin::serve(listeners.admin, readiness.clone(), tasks.clone(), metrics, tokens.relay.clone());
    relays.keep("admin", &tokens.relay, admin_port);
    if let Some(relay) = relay {
        relays.keep("relay", &tokens.relay, relay.run(tokens.relay.clone()));
    }
    for consumer in parts.consumers.drain(..) {
        tasks.spawn("consumer", consumer.run(tokens.work.clone()));
    }
    for job in parts.jobs.drain(..) {
        tasks.start(job, tokens.work.clone());
    }
    let layers = (ServerLayer::new(S::NAME, process.methods.clone(), config.server.limits), AccessLayer::new(access));
    serve(parts, health, listeners.calls, layers, &calls, &tokens.calls)?;
    tracing::info!(%address, %admin, "the service is up");
    Ok(Running {
        name: S::NAME,
        address,
        admin,
        server: config.server,
        tokens,
        tasks,
        calls,
        relays,
        db,
        readiness,
        span,
    })
}

async fn database<S: Service>(config: &Config<S::Config>) -> anyhow::Result<Option<Db>> {
    let Some(migrator) = S::migrator() else { return Ok(None) };
    let db = Db::connect(&config.database, S::NAME, migrator).context("database.url is no address of a database")?;
    db.migrate().await.context("the database cannot be migrated")?;
    Ok(Some(db))
}

/// Makes the kit, and the jobs that keep keys and revocations up to date.
fn kit<S: Service>(
    config: &Config<S::Config>,
    process: &Process,
    db: Option<Db>,
    relay: Option<&Relay>,
    tokens: &Tokens,
) -> anyhow::Result<(Kit, Vec<Job>)> {
    let vouchers = voucher_keys(S::NAME, &config.identity)?;
    let (keys, revocations) = (KeySet::new(), RevocationList::new());
    if let Some(secret) = &config.identity.hs256_secret {
        let secret = SecretSlice::from(secret.expose_secret().as_bytes().to_vec());
        keys.replace(vec![VerifyingKey::hs256("hs256", &secret).context("identity.hs256_secret")?]);
    }
    let origin = Origin {
        service: S::NAME,
        methods: process.methods.clone(),
        vouchers: vouchers.clone(),
        clock: Arc::clone(&process.clock),
    };
    let remote = RemoteDecide::new(channel(&config.upstreams, &origin, "authorization")?);
    let decide = Arc::new(SwitchedDecide { local: std::sync::OnceLock::new(), remote });
    let mut followers = Vec::new();
    let mut issuer = None;
    if S::NAME != AUTHENTICATION {
        let authentication = channel(&config.upstreams, &origin, AUTHENTICATION)?;
        let asked = Arc::new(Issuer::new(authentication.clone(), keys.clone()));
        issuer = Some(Arc::clone(&asked));
        let (list, clock) = (revocations.clone(), Arc::clone(&process.clock));
        followers.push(Job::run("keep_keys", move |stop| revocations::keep_keys(asked, stop)));
        followers
            .push(Job::run("follow_revocations", move |stop| revocations::follow(authentication, list, clock, stop)));
    }
    let verifier = TokenVerifier::new(
        keys.clone(),
        config.identity.issuer.as_str(),
        config.identity.audience.as_str(),
        Arc::clone(&process.clock),
        revocations.clone(),
    );
    let access = Access::new(Assembly {
        methods: process.methods.clone(),
        verifier,
        issuer,
        decide: Arc::clone(&decide) as _,
        vouchers,
        clock: Arc::clone(&process.clock),
    })
    .map_err(anyhow::Error::msg)?;
    let cache = Cache::new(&config.redis, S::NAME).context("redis.url is no address of Redis")?;
    let contents = Contents {
        name: S::NAME,
        clock: Arc::clone(&process.clock),
        methods: process.methods.clone(),
        outbox: relay.map(Relay::outbox),
        db,
        limiter: Limiter::on(cache.redis(), S::NAME),
        quotas: config.limits,
        cache,
        access,
        decide,
        origin,
        upstreams: config.upstreams.clone(),
        messaging: config.rabbitmq.clone(),
        identity: config.identity.clone(),
        secret: secret_key(&config.identity)?,
        keys,
        revocations,
        stopping: tokens.stopping.clone(),
        health: HealthReporter::new(),
    };
    Ok((Kit(Arc::new(contents)), followers))
}

fn voucher_keys(name: &str, config: &IdentityConfig) -> anyhow::Result<VoucherKeys> {
    let text = config.fleet_keys.as_ref().context("identity.fleet_keys is not set: `taskman keys fleet` makes them")?;
    let keys = VoucherKeys::parse(text.expose_secret()).context("identity.fleet_keys")?;
    anyhow::ensure!(keys.own() == name, "identity.fleet_keys are those of another service");
    Ok(keys)
}

fn secret_key(config: &IdentityConfig) -> anyhow::Result<Option<SecretSlice<u8>>> {
    let Some(text) = &config.secret_key else { return Ok(None) };
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.expose_secret()).ok();
    let bytes = bytes.filter(|bytes| bytes.len() == 32).context("identity.secret_key must be 32 bytes in base64")?;
    Ok(Some(SecretSlice::from(bytes)))
}

/// Serves the port: with the gateway's own server, or with gRPC, health and reflection behind the layers.
fn serve(
    mut parts: Parts,
    health: HealthServer<HealthService>,
    listener: TcpListener,
    (server, access): (ServerLayer, AccessLayer),
    calls: &Tasks,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    if let Some(http) = parts.http.take() {
        calls.keep("http", stop, http(listener, stop.clone()));
        return Ok(());
    }
    parts.grpc.add_service(health);
    parts.grpc.add_service(reflection(&parts.grpc_names).build_v1().context("reflection")?);
    parts.grpc.add_service(reflection(&parts.grpc_names).build_v1alpha().context("reflection")?);
    let served = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .layer(server)
        .layer(access)
        .add_routes(parts.grpc.routes())
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            stop.clone().cancelled_owned(),
        );
    calls.keep("grpc", stop, async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "the port failed");
        }
    });
    Ok(())
}

/// Describes what this port serves, and nothing that other services do.
fn reflection<'a>(names: &[&'static str]) -> tonic_reflection::server::Builder<'a> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(taskman_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
}

impl Running {
    /// Returns the name of the service.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the address for calls.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address for health and metrics.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Returns the database, for tests and operators' tools.
    pub fn db(&self) -> Option<&Db> {
        self.db.as_ref()
    }

    /// Says whether the service is ready for calls.
    pub fn is_ready(&self) -> bool {
        self.readiness.is_ready()
    }

    /// Stops in order: not ready, no new calls, running calls end, consumers and jobs end, the relay sends what is left,
    /// the pools close.
    pub async fn stop(self) -> Stopped {
        let span = self.span.clone();
        self.stop_within().instrument(span).await
    }

    async fn stop_within(self) -> Stopped {
        let patience = Duration::from_millis(self.server.drain_timeout_ms);
        self.tokens.stopping.cancel();
        tokio::time::sleep(Duration::from_millis(self.server.drain_delay_ms)).await;
        self.tokens.calls.cancel();
        let calls = self.calls.ended(patience).await;
        self.tokens.work.cancel();
        let tasks = self.tasks.ended(patience).await;
        self.tokens.relay.cancel();
        let relays = self.relays.ended(patience).await;
        let closed = match &self.db {
            Some(db) => tokio::time::timeout(patience, db.close()).await.is_ok(),
            None => true,
        };
        let panics = self.tasks.dead();
        if !calls {
            // A client that holds a stream open has been told to go; that it stayed is no fault of the service.
            tracing::warn!("connections were cut that clients did not close");
        }
        let in_time = tasks && relays && closed;
        tracing::info!(in_time, panics, "the service has stopped");
        Stopped { in_time, panics }
    }
}
