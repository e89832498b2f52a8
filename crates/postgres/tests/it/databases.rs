//! A database of its own for each test.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};
use taskman_devstack::{Endpoints, STACK_VARIABLE};
use taskman_postgres::{Config, Db};

/// Creates an empty database on the stack's server.
pub(crate) async fn fresh() -> Config {
    let config = absent();
    let create = format!("CREATE DATABASE {}", name(&config));
    let mut admin = PgConnection::connect(&endpoints().postgres_url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    config
}

/// Names a database that does not exist.
pub(crate) fn absent() -> Config {
    let server = endpoints().postgres_url;
    let (base, _) = server.rsplit_once('/').unwrap();
    let url = format!("{base}/pg_{}", taskman_ids::new_uuid().simple());
    Config { url: SecretString::from(url), acquire_timeout_ms: 10_000, ..Config::default() }
}

pub(crate) fn name(config: &Config) -> String {
    config.url.expose_secret().rsplit_once('/').unwrap().1.to_owned()
}

/// A migrator of the given statements, numbered from 1.
pub(crate) fn migrator(statements: &[&'static str]) -> &'static Migrator {
    let migrations = (1..)
        .zip(statements)
        .map(|(version, sql)| Migration::new(version, "step".into(), MigrationType::Simple, sql.into_sql_str(), false));
    Box::leak(Box::new(Migrator::with_migrations(migrations.collect())))
}

/// A fresh database with the given schema.
pub(crate) async fn migrated(statements: &[&'static str]) -> Db {
    let db = Db::connect(&fresh().await, "test", migrator(statements)).unwrap();
    db.migrate().await.unwrap();
    db
}

#[expect(clippy::disallowed_methods, reason = "the stack hands its address to tests by environment")]
fn endpoints() -> Endpoints {
    let file = std::env::var(STACK_VARIABLE).expect("run with: devstack exec --profile test -- cargo test");
    Endpoints::read(Path::new(&file)).unwrap()
}
