//! How long statements may take, and where they run.

use std::time::Duration;

use secrecy::SecretString;
use taskman_errors::{Failure, Kind};
use taskman_postgres::{Config, Db, Error, Transaction};
use taskman_resilience::{Deadline, deadline};

use crate::databases::{fresh, migrated, migrator, name};

async fn statement_timeout(tx: &mut Transaction) -> String {
    sqlx::query_scalar("SELECT current_setting('statement_timeout')").fetch_one(&mut **tx).await.unwrap()
}

#[tokio::test]
async fn a_statement_ends_with_the_callers_deadline() {
    let db = migrated(&[]).await;
    db.check().await.unwrap();
    deadline::scope(Deadline::after(Duration::from_secs(1)), async {
        let mut tx = db.begin().await.unwrap();
        let error: Error = sqlx::query("SELECT pg_sleep(60)").execute(&mut *tx).await.unwrap_err().into();
        assert_eq!(error.kind(), Kind::Timeout, "{error:?}");
    })
    .await;
    let mut later = db.begin().await.unwrap();
    assert_eq!(statement_timeout(&mut later).await, "5s", "the next user of the connection has the usual limit");
}

#[tokio::test]
async fn a_far_deadline_does_not_prolong_the_usual_limit() {
    let db = migrated(&[]).await;
    deadline::scope(Deadline::after(Duration::from_mins(1)), async {
        assert_eq!(statement_timeout(&mut db.begin().await.unwrap()).await, "5s");
    })
    .await;
}

#[tokio::test]
async fn no_transaction_begins_after_the_deadline() {
    let db = migrated(&[]).await;
    let refused = deadline::scope(Deadline::after(Duration::ZERO), db.begin()).await;
    assert!(matches!(refused, Err(Error::Timeout)));
}

#[tokio::test]
async fn nobody_waits_for_a_connection_beyond_the_deadline() {
    let config = Config { max_connections: 1, acquire_timeout_ms: 60_000, ..fresh().await };
    let db = Db::connect(&config, "test", migrator(&[])).unwrap();
    let _all = db.begin().await.unwrap();
    let refused = deadline::scope(Deadline::after(Duration::from_millis(50)), db.begin()).await;
    assert!(matches!(refused, Err(Error::Timeout)));
}

#[tokio::test]
async fn reads_go_to_a_replica_and_to_the_primary_while_it_is_away() {
    let (primary, replica) = (fresh().await, fresh().await);
    let away = SecretString::from("postgres://nobody@127.0.0.1:1/none");
    let replica_urls = vec![away, replica.url.clone()];
    let db = Db::connect(&Config { replica_urls, ..primary.clone() }, "test", migrator(&[])).unwrap();
    db.check().await.unwrap();
    for _ in 0..4 {
        let read: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(db.read()).await.unwrap();
        assert_eq!(read, name(&replica));
    }
    let mut reading = db.begin_read().await.unwrap();
    assert!(sqlx::query("CREATE TABLE nope (n int)").execute(&mut *reading).await.is_err());
    let alone = Db::connect(&primary, "test", migrator(&[])).unwrap();
    let read: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(alone.read()).await.unwrap();
    assert_eq!(read, name(&primary));
}

#[test]
fn configuration_refuses_unknown_fields_and_defaults_the_rest() {
    let config: Config = serde_json::from_str(r#"{"url": "postgres://db/task", "migrate": "refuse"}"#).unwrap();
    assert_eq!((config.max_connections, config.migrate), (25, taskman_postgres::Migrate::Refuse));
    assert!(serde_json::from_str::<Config>(r#"{"max_conections": 3}"#).is_err());
    assert!(!format!("{config:?}").contains("db/task"), "a URL holds a password");
}

#[tokio::test]
async fn the_sizes_of_the_pools_are_metrics() {
    let db = migrated(&[]).await;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let (_one, _two) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    metrics::with_local_recorder(&recorder, || db.observe());
    let line = r#"taskman_db_pool_connections{service="test",pool="primary",state="used"} 2"#;
    assert!(handle.render().contains(line), "{}", handle.render());
}
