//! Who migrates, and who refuses to.

use secrecy::SecretString;
use taskman_errors::{Failure, Kind};
use taskman_postgres::{Config, Db, Migrate, MigrateError};

use crate::databases::{absent, fresh, migrator};

/// Not repeatable, so that running it twice would fail; slow enough for starters to meet.
const ONE: &str = "CREATE TABLE starts (n int); INSERT INTO starts VALUES (1); SELECT pg_sleep(0.2)";
const TWO: &str = "INSERT INTO starts VALUES (2)";

async fn migrate(config: &Config, statements: &[&'static str], mode: Migrate) -> Result<(), MigrateError> {
    let config = Config { migrate: mode, ..config.clone() };
    Db::connect(&config, "test", migrator(statements)).unwrap().migrate().await
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_starters_run_each_migration_once() {
    let config = Config { lock_timeout_ms: 100, ..fresh().await };
    let starters = (0..4).map(|_| migrate(&config, &[ONE, TWO], Migrate::Run));
    for outcome in futures::future::join_all(starters).await {
        outcome.unwrap();
    }
    let db = Db::connect(&config, "test", migrator(&[])).unwrap();
    let rows: Vec<i32> = sqlx::query_scalar("SELECT n FROM starts ORDER BY n").fetch_all(db.primary()).await.unwrap();
    assert_eq!(rows, [1, 2]);
}

#[tokio::test]
async fn a_refusing_process_starts_only_on_its_own_schema() {
    let config = fresh().await;
    let pending = migrate(&config, &[ONE, TWO], Migrate::Refuse).await.unwrap_err();
    assert!(matches!(pending, MigrateError::Pending { count: 2, first: 1 }), "{pending}");
    migrate(&config, &[ONE], Migrate::Run).await.unwrap();
    let pending = migrate(&config, &[ONE, TWO], Migrate::Refuse).await.unwrap_err();
    assert!(matches!(pending, MigrateError::Pending { count: 1, first: 2 }), "{pending}");
    migrate(&config, &[ONE], Migrate::Refuse).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_newer_is_refused_in_both_modes() {
    let config = fresh().await;
    migrate(&config, &[ONE, TWO], Migrate::Run).await.unwrap();
    for mode in [Migrate::Refuse, Migrate::Run] {
        let newer = migrate(&config, &[ONE], mode).await.unwrap_err();
        assert!(matches!(newer, MigrateError::Newer { version: 2 }), "{newer}");
        assert_eq!(newer.kind(), Kind::Refused);
    }
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let config = fresh().await;
    migrate(&config, &[ONE], Migrate::Run).await.unwrap();
    let changed = migrate(&config, &[TWO], Migrate::Run).await.unwrap_err();
    assert!(matches!(changed, MigrateError::Changed { version: 1 }), "{changed}");
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_can_be_repaired() {
    let config = fresh().await;
    let failed = migrate(&config, &["CREATE TABLE starts (n int); SELECT 1/0"], Migrate::Run).await.unwrap_err();
    assert!(matches!(failed, MigrateError::Failed { version: 1, .. }), "{failed}");
    migrate(&config, &[ONE], Migrate::Run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_created_where_that_is_configured() {
    let missing = absent();
    let refused = migrate(&missing, &[ONE], Migrate::Run).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Database(_)), "{refused}");
    let creating = Config { create_database: true, ..missing };
    for outcome in futures::future::join_all((0..3).map(|_| migrate(&creating, &[ONE], Migrate::Run))).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let config = Config { url: SecretString::from("postgres://nobody@127.0.0.1:1/none"), ..Config::default() };
    let away = migrate(&config, &[ONE], Migrate::Run).await.unwrap_err();
    assert_eq!(away.kind(), Kind::Unavailable, "{away}");
}
