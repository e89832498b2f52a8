//! The pools of one service's database.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metrics::{gauge, histogram};
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgPool, Postgres};
use taskman_resilience::deadline::{self, Deadline};
use tracing::Instrument as _;

use crate::migrate::{self, MigrateError};
use crate::{Config, Error};

/// A transaction of a pool.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// How long a health check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// A transaction in which the service has stopped talking is ended by the server.
const IDLE_IN_TRANSACTION: &str = "30000";
/// A connection that was used within this time is taken as alive; others are asked first, which costs a round trip.
const ALIVE_FOR: Duration = Duration::from_millis(500);

/// The database of one service: the primary and its read replicas.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    service: &'static str,
    config: Config,
    migrator: &'static Migrator,
    primary: PgPool,
    replicas: Vec<Replica>,
    turn: AtomicUsize,
}

struct Replica {
    pool: PgPool,
    healthy: AtomicBool,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("service", &self.0.service).finish_non_exhaustive()
    }
}

impl Db {
    /// Prepares the pools without connecting: the first statement connects. Needs a tokio runtime.
    pub fn connect(config: &Config, service: &'static str, migrator: &'static Migrator) -> Result<Self, Error> {
        let replicas = config
            .replica_urls
            .iter()
            .map(|url| Ok(Replica { pool: pool(config, url, service)?, healthy: AtomicBool::new(true) }))
            .collect::<Result<_, Error>>()?;
        Ok(Self(Arc::new(Inner {
            service,
            config: config.clone(),
            migrator,
            primary: pool(config, &config.url, service)?,
            replicas,
            turn: AtomicUsize::new(0),
        })))
    }

    /// Brings the schema up to this binary's, or refuses to work with another one, as configured.
    ///
    /// Starters that run at the same time wait for each other; each migration runs once.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        migrate::run_or_refuse(&self.0.config, self.0.service, self.0.migrator).await
    }

    /// Begins a transaction on the primary that the server ends when the caller's deadline passes.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_on(&self.0.primary, "BEGIN").await
    }

    /// Begins a read-only transaction with one snapshot for all its statements, on a replica where there is one.
    pub async fn begin_read(&self) -> Result<Transaction, Error> {
        self.begin_on(self.read(), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn begin_on(&self, pool: &PgPool, begin: &'static str) -> Result<Transaction, Error> {
        let started = Instant::now();
        let config = &self.0.config;
        let left = deadline::current().map(Deadline::remaining);
        let statement = match left {
            Some(Duration::ZERO) => return Err(Error::Timeout),
            // One round trip for both statements; at least 1 ms, because 0 would mean no limit.
            Some(left) if left < config.statement_timeout() => {
                format!("{begin}; SET LOCAL statement_timeout = {}", left.as_millis().max(1))
            }
            _ => begin.to_owned(),
        };
        // Without a deadline, a server that hangs must not hold a job or a consumer for ever either.
        let limit = left.unwrap_or(config.acquire_timeout() + config.statement_timeout());
        // Boxed: connecting is a large future, and every use case holds this one.
        let span = tracing::info_span!(
            "begin transaction",
            otel.kind = "client",
            db.system.name = "postgresql",
            db.namespace = self.0.service,
        );
        let begun = within(limit, Box::pin(pool.begin_with(AssertSqlSafe(statement)))).instrument(span).await;
        histogram!("taskman_db_pool_wait_seconds", "service" => self.0.service).record(started.elapsed());
        begun
    }

    /// Returns the pool for reads that may lag behind: a healthy replica in turn, else the primary.
    ///
    /// A use case that decides something reads the primary. The caller bounds the wait by its own deadline.
    pub fn read(&self) -> &PgPool {
        let replicas = &self.0.replicas;
        let start = self.0.turn.fetch_add(1, Ordering::Relaxed);
        (0..replicas.len())
            .map(|step| &replicas[start.wrapping_add(step) % replicas.len()])
            .find(|replica| replica.healthy.load(Ordering::Relaxed))
            .map_or(&self.0.primary, |replica| &replica.pool)
    }

    /// Returns the pool of the primary.
    pub fn primary(&self) -> &PgPool {
        &self.0.primary
    }

    /// Returns the name of the service that the database belongs to.
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// Asks the primary for a sign of life, and takes replicas that give none out of the turn.
    pub async fn check(&self) -> Result<(), Error> {
        for replica in &self.0.replicas {
            let alive = within(CHECK_TIMEOUT, ping(&replica.pool)).await.is_ok();
            if replica.healthy.swap(alive, Ordering::Relaxed) != alive {
                tracing::warn!(replica.healthy = alive, "a read replica changed its state");
            }
        }
        within(CHECK_TIMEOUT, ping(&self.0.primary)).await
    }

    /// Writes the sizes of the pools into the metrics; called before they are read.
    pub fn observe(&self) {
        let replicas = self.0.replicas.iter().map(|replica| ("replica", &replica.pool));
        let mut sums = [("primary", 0_u32, 0_usize), ("replica", 0, 0)];
        for (role, pool) in std::iter::once(("primary", &self.0.primary)).chain(replicas) {
            for (_, size, idle) in sums.iter_mut().filter(|(name, ..)| *name == role) {
                *size += pool.size();
                *idle += pool.num_idle();
            }
        }
        for (role, size, idle) in sums {
            let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(size);
            let service = self.0.service;
            gauge!("taskman_db_pool_connections", "service" => service, "pool" => role, "state" => "idle")
                .set(f64::from(idle));
            gauge!("taskman_db_pool_connections", "service" => service, "pool" => role, "state" => "used")
                .set(f64::from(size - idle));
        }
    }

    /// Closes the pools after the connections that are in use have come back.
    pub async fn close(&self) {
        self.0.primary.close().await;
        for replica in &self.0.replicas {
            replica.pool.close().await;
        }
    }
}

async fn ping(pool: &PgPool) -> Result<(), sqlx::Error> {
    // no company: asks about the server
    sqlx::query("SELECT 1").execute(pool).await.map(|_| ())
}

/// Waits for `work` no longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Error::from),
        Err(_) => Err(Error::Timeout),
    }
}

fn pool(config: &Config, url: &SecretString, service: &'static str) -> Result<PgPool, Error> {
    let options = options(url, service)?.options([
        ("statement_timeout", config.statement_timeout_ms.to_string().as_str()),
        ("lock_timeout", config.lock_timeout_ms.to_string().as_str()),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
    ]);
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections)
        .min_connections(config.min_connections.min(config.max_connections))
        .acquire_timeout(config.acquire_timeout())
        .max_lifetime(Duration::from_secs(config.max_lifetime_s))
        .idle_timeout(Duration::from_secs(config.idle_timeout_s))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > ALIVE_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

/// Reads a URL; the session speaks UTC whatever the server's default is.
pub(crate) fn options(url: &SecretString, service: &'static str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url.expose_secret())?;
    Ok(options.application_name(service).statement_cache_capacity(256).options([("timezone", "UTC")]))
}
