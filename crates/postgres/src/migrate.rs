//! Migrations: run once by whoever starts first, or refused.

use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError as SqlxMigrateError, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use taskman_errors::{Failure, Kind};

use crate::config::{Config, Migrate};
use crate::db::{self, within};
use crate::error::{Cause, Error};

/// The advisory lock that starters take one after the other; the number means nothing else.
const LOCK: i64 = 0x7461_736b_6d61_6e01;
const LOCK_POLL: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Says why the schema is not the one this binary works with.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Migrations have to be run first, and this process is told not to.
    #[error("{count} migrations are pending, the first is {first}")]
    Pending {
        /// How many there are.
        count: usize,
        /// The version of the first one.
        first: i64,
    },
    /// The database has a migration that this binary does not know: a newer release migrated it.
    #[error("the database is newer than this binary: it has migration {version}")]
    Newer {
        /// The version that is unknown here.
        version: i64,
    },
    /// A migration was edited after it had been applied.
    #[error("migration {version} is not the one that was applied")]
    Changed {
        /// The version of the edited migration.
        version: i64,
    },
    /// Another starter's migrations did not end in time.
    #[error("another process is still migrating the database")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// A migration failed; it left nothing behind.
    #[error("migration {version} failed")]
    Failed {
        /// The version of the migration.
        version: i64,
        /// What the database said.
        #[source]
        cause: Error,
    },
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for MigrateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Pending { .. } | Self::Newer { .. } | Self::Changed { .. } => Kind::Refused,
            Self::Busy => Kind::Unavailable,
            Self::Database(error) | Self::Failed { cause: error, .. } => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Busy => "UNAVAILABLE",
            Self::Database(error) | Self::Failed { cause: error, .. } => error.reason(),
            _ => "INTERNAL",
        }
    }
}

pub(crate) async fn run_or_refuse(
    config: &Config,
    service: &'static str,
    migrator: &'static Migrator,
) -> Result<(), MigrateError> {
    if config.migrate == Migrate::Run && config.create_database {
        create_missing_database(config, service).await?;
    }
    // A connection of its own: it may take long, and it drops the lock when it is dropped.
    let options = db::options(&config.url, service)?.options([
        ("statement_timeout", config.migrate_timeout().as_millis().to_string().as_str()),
        ("lock_timeout", config.lock_timeout_ms.to_string().as_str()),
    ]);
    let mut connection = within(CONNECT_TIMEOUT, options.connect()).await?;
    let outcome = match config.migrate {
        Migrate::Run => run(&mut connection, migrator, config.migrate_timeout()).await,
        Migrate::Refuse => {
            applied(&mut connection).await.and_then(|applied| refuse_pending(&compare(migrator, &applied)?))
        }
    };
    connection.close().await.ok();
    outcome
}

async fn run(connection: &mut PgConnection, migrator: &Migrator, patience: Duration) -> Result<(), MigrateError> {
    lock(connection, patience).await?;
    let pending = compare(migrator, &applied(connection).await?)?;
    if pending.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    migrator.run_direct(None, connection, false).await.map_err(from_sqlx)?;
    tracing::info!(
        migrations.applied = pending.len(),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the database was migrated"
    );
    Ok(())
}

/// Takes the lock by asking again and again, because a waiting statement would run into the lock timeout.
async fn lock(connection: &mut PgConnection, patience: Duration) -> Result<(), MigrateError> {
    let end = tokio::time::Instant::now() + patience;
    loop {
        // no company: the lock is the database's
        let taken: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?;
        if taken {
            return Ok(());
        }
        if tokio::time::Instant::now() >= end {
            return Err(MigrateError::Busy);
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, MigrateError> {
    // no company: the table is the migration tool's
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(version, checksum)| Applied { version, checksum }).collect())
}

/// Returns the pending versions, or says why the database is not an older state of this schema.
fn compare(migrator: &Migrator, applied: &[Applied]) -> Result<Vec<i64>, MigrateError> {
    for row in applied {
        match migrator.iter().find(|known| known.version == row.version) {
            None => return Err(MigrateError::Newer { version: row.version }),
            Some(known) if *known.checksum != *row.checksum => {
                return Err(MigrateError::Changed { version: row.version });
            }
            Some(_) => {}
        }
    }
    Ok(migrator
        .iter()
        .filter(|known| !known.migration_type.is_down_migration())
        .map(|known| known.version)
        .filter(|version| !applied.iter().any(|row| row.version == *version))
        .collect())
}

fn refuse_pending(pending: &[i64]) -> Result<(), MigrateError> {
    match pending.first() {
        None => Ok(()),
        Some(first) => Err(MigrateError::Pending { count: pending.len(), first: *first }),
    }
}

fn from_sqlx(error: SqlxMigrateError) -> MigrateError {
    match error {
        SqlxMigrateError::Execute(error) => error.into(),
        SqlxMigrateError::ExecuteMigration(error, version) => MigrateError::Failed { version, cause: error.into() },
        SqlxMigrateError::VersionMismatch(version) => MigrateError::Changed { version },
        SqlxMigrateError::VersionMissing(version) => MigrateError::Newer { version },
        other => MigrateError::Database(Error::Other(Cause(other.into()))),
    }
}

async fn create_missing_database(config: &Config, service: &'static str) -> Result<(), MigrateError> {
    let options = db::options(&config.url, service)?;
    let Some(name) = options.get_database().map(str::to_owned) else { return Ok(()) };
    let mut connection = within(CONNECT_TIMEOUT, options.database("postgres").connect()).await?;
    // no company: the catalogue is the server's
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        let create = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        match sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await {
            Ok(_) => tracing::info!("the database was created"),
            // Another starter was faster, or is just now.
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P04" | "23505")) => {}
            Err(error) => return Err(error.into()),
        }
    }
    connection.close().await.ok();
    Ok(())
}
