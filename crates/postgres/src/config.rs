//! How a service reaches its database.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// What happens at start when the database does not have the schema of this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrate {
    /// Pending migrations are run.
    #[default]
    Run,
    /// The service refuses to start: a deployment runs migrations in a step of its own.
    Refuse,
}

/// The database of one service. The default is a private PostgreSQL of a developer.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL of the primary, `postgres://user:password@host:port/database`.
    pub url: SecretString,
    /// The URLs of the read replicas; reads that may lag go there in turn.
    pub replica_urls: Vec<SecretString>,
    /// The most connections that are open at once, per primary or replica.
    pub max_connections: u32,
    /// The connections that are kept open when nothing happens.
    pub min_connections: u32,
    /// How long a request waits for a connection, in milliseconds; never longer than its deadline.
    pub acquire_timeout_ms: u64,
    /// After how many seconds a connection is replaced by a new one, so that load follows a failover.
    pub max_lifetime_s: u64,
    /// After how many idle seconds a connection above the minimum is closed.
    pub idle_timeout_s: u64,
    /// After how many milliseconds the server gives a statement up; a nearer deadline shortens it.
    pub statement_timeout_ms: u64,
    /// After how many milliseconds the server gives up waiting for a lock.
    pub lock_timeout_ms: u64,
    /// Whether pending migrations are run or refused.
    pub migrate: Migrate,
    /// How many seconds one migration may take, and how long another starter's migrations are waited for.
    pub migrate_timeout_s: u64,
    /// Whether a missing database is created before migrations run; for development.
    pub create_database: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: SecretString::from("postgres://taskman@127.0.0.1:5432/taskman"),
            replica_urls: Vec::new(),
            max_connections: 25,
            min_connections: 0,
            acquire_timeout_ms: 1_000,
            max_lifetime_s: 300,
            idle_timeout_s: 30,
            statement_timeout_ms: 5_000,
            lock_timeout_ms: 2_000,
            migrate: Migrate::Run,
            migrate_timeout_s: 600,
            create_database: false,
        }
    }
}

impl Config {
    pub(crate) const fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    pub(crate) const fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }

    pub(crate) const fn migrate_timeout(&self) -> Duration {
        Duration::from_secs(self.migrate_timeout_s)
    }
}
