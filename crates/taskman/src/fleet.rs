//! Starts services of the fleet in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context as _;
use secrecy::SecretString;
use serde::Deserialize;
use taskman_audit::AuditService;
use taskman_authentication::AuthenticationService;
use taskman_authorization::AuthorizationService;
use taskman_chassis::{Config, Listeners, Process, Running, Service, start, usual_port};
use taskman_gateway::GatewayService;
use taskman_iam_admin::IamAdminService;
use taskman_notification::NotificationService;
use taskman_task::TaskService;
use taskman_user::UserService;
use tokio::net::TcpListener;

use crate::keys::{FleetKeys, SERVICES};

/// Where the stores of a fleet are.
#[derive(Debug, Clone)]
pub struct Stores {
    /// PostgreSQL: the URL of any database there; each service gets one of its own beside it.
    pub postgres_url: String,
    /// What the names of the databases begin with.
    pub database_prefix: String,
    /// Redis: each service gets a database number of its own.
    pub redis_url: Option<String>,
    /// RabbitMQ, with the vhost.
    pub amqp_url: String,
    /// The mail server, `host:port`, without TLS: for development.
    pub smtp_addr: String,
}

/// Which ports the services take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// The usual ones; one that is taken is replaced by the next free one.
    Usual,
    /// Any free ones.
    Free,
}

/// What a fleet is started from.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which services; a call to one that is not among them fails.
    pub services: Vec<&'static str>,
    /// The stores.
    pub stores: Stores,
    /// The keys.
    pub keys: FleetKeys,
    /// The ports.
    pub ports: Ports,
    /// `TASKMAN__…` variables that apply to every service.
    pub environment: Vec<(String, String)>,
}

/// The services at work.
#[derive(Debug)]
pub struct Fleet {
    running: BTreeMap<&'static str, Running>,
}

impl Fleet {
    /// Starts the services, all at the same time: none waits for another.
    pub async fn start(options: &Options, process: &Process) -> anyhow::Result<Self> {
        let mut bound = Vec::new();
        let mut upstreams = BTreeMap::new();
        for service in &options.services {
            let listeners = bind(service, options.ports).await?;
            upstreams.insert((*service).to_owned(), format!("http://{}", listeners.calls.local_addr()?));
            bound.push((*service, listeners));
        }
        let starting = bound.into_iter().map(|(service, listeners)| {
            let upstreams = upstreams.clone();
            async move {
                let running = start_service(service, options, upstreams, listeners, process.clone()).await;
                Ok::<_, anyhow::Error>((service, running.with_context(|| service.to_owned())?))
            }
        });
        let running = futures::future::try_join_all(starting).await?.into_iter().collect();
        Ok(Self { running })
    }

    /// Returns the address of a service for calls.
    pub fn address(&self, service: &str) -> Option<SocketAddr> {
        self.running.get(service).map(Running::address)
    }

    /// Returns the services by name.
    pub fn services(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }

    /// Returns a service.
    pub fn service(&self, name: &str) -> Option<&Running> {
        self.running.get(name)
    }

    /// Takes a service out, for the caller to stop.
    pub fn take(&mut self, name: &str) -> Option<Running> {
        self.running.remove(name)
    }

    /// Starts a service again that was taken out, on the address that the others know.
    pub async fn restart(
        &mut self,
        name: &'static str,
        address: SocketAddr,
        options: &Options,
        process: &Process,
    ) -> anyhow::Result<()> {
        let listeners =
            Listeners { calls: TcpListener::bind(address).await?, admin: TcpListener::bind("127.0.0.1:0").await? };
        let upstreams =
            self.running.iter().map(|(name, running)| ((*name).to_owned(), format!("http://{}", running.address())));
        let upstreams = upstreams.collect();
        let running = start_service(name, options, upstreams, listeners, process.clone()).await?;
        self.running.insert(name, running);
        Ok(())
    }

    /// Says whether every service is ready.
    pub fn is_ready(&self) -> bool {
        self.running.values().all(Running::is_ready)
    }

    /// Stops everything: first the gateway, then what is behind it. Says whether all ended in order.
    pub async fn stop(mut self) -> bool {
        let mut orderly = true;
        if let Some(gateway) = self.running.remove("gateway") {
            let stopped = gateway.stop().await;
            orderly &= stopped.in_time && stopped.panics == 0;
        }
        let stopped = futures::future::join_all(self.running.into_values().map(Running::stop)).await;
        orderly && stopped.iter().all(|stopped| stopped.in_time && stopped.panics == 0)
    }
}

async fn bind(service: &str, ports: Ports) -> anyhow::Result<Listeners> {
    let usual = match ports {
        Ports::Usual => usual_port(service),
        Ports::Free => 0,
    };
    let admin = if usual == 0 { 0 } else { usual + 1_000 };
    Ok(Listeners { calls: next_free(usual).await?, admin: next_free(admin).await? })
}

/// Binds `port` or, where it is taken, one of the next hundred.
async fn next_free(port: u16) -> anyhow::Result<TcpListener> {
    for candidate in port..=port.saturating_add(100) {
        match TcpListener::bind(("127.0.0.1", candidate)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).context("cannot listen on loopback"),
        }
    }
    anyhow::bail!("no port from {port} on is free")
}

async fn start_service(
    service: &str,
    options: &Options,
    upstreams: BTreeMap<String, String>,
    listeners: Listeners,
    process: Process,
) -> anyhow::Result<Running> {
    match service {
        "authentication" => launch::<AuthenticationService>(options, upstreams, listeners, process, |_| {}).await,
        "authorization" => launch::<AuthorizationService>(options, upstreams, listeners, process, |_| {}).await,
        "user" => launch::<UserService>(options, upstreams, listeners, process, |_| {}).await,
        "iam-admin" => launch::<IamAdminService>(options, upstreams, listeners, process, |_| {}).await,
        "task" => launch::<TaskService>(options, upstreams, listeners, process, |_| {}).await,
        "audit" => launch::<AuditService>(options, upstreams, listeners, process, |_| {}).await,
        "notification" => {
            let smtp = options.stores.smtp_addr.clone();
            launch::<NotificationService>(options, upstreams, listeners, process, |config| {
                config.smtp.url = SecretString::from(format!("smtp://{smtp}"));
            })
            .await
        }
        "gateway" => launch::<GatewayService>(options, upstreams, listeners, process, |_| {}).await,
        other => anyhow::bail!("there is no service called {other}"),
    }
}

async fn launch<S>(
    options: &Options,
    upstreams: BTreeMap<String, String>,
    listeners: Listeners,
    process: Process,
    adapt: impl FnOnce(&mut S::Config),
) -> anyhow::Result<Running>
where
    S: Service,
    S::Config: for<'de> Deserialize<'de>,
{
    let mut config: Config<S::Config> = Config::load(None, options.environment.clone())?;
    let keys = options.keys.of(S::NAME)?;
    config.identity.fleet_keys = Some(keys.fleet());
    config.identity.secret_key = Some(keys.secret());
    config.upstreams = upstreams;
    config.database.url = database_url(&options.stores, S::NAME)?;
    config.database.create_database = true;
    config.redis.url = options.stores.redis_url.as_ref().map(|url| redis_url(url, S::NAME)).transpose()?;
    config.rabbitmq.url = SecretString::from(options.stores.amqp_url.as_str());
    adapt(&mut config.service);
    start::<S>(config, listeners, process).await
}

/// Names the database of a service as the owner's documents do.
fn database_url(stores: &Stores, service: &str) -> anyhow::Result<SecretString> {
    let name = match service {
        "authentication" => "auth_db",
        "authorization" => "authz_db",
        "iam-admin" => "iam_db",
        "user" => "user_db",
        "task" => "task_db",
        "audit" => "audit_db",
        "notification" => "notification_db",
        other => other,
    };
    with_path(&stores.postgres_url, &format!("{}{name}", stores.database_prefix))
}

/// Numbers the Redis database of a service as the owner's documents do; the gateway has the eighth.
fn redis_url(url: &str, service: &str) -> anyhow::Result<SecretString> {
    let number = SERVICES.iter().position(|name| *name == service).context("the service has no Redis database")?;
    with_path(url, &number.to_string())
}

fn with_path(url: &str, path: &str) -> anyhow::Result<SecretString> {
    let (scheme, rest) = url.split_once("://").context("the address of a store is no URL")?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    Ok(SecretString::from(format!("{scheme}://{authority}/{path}")))
}
