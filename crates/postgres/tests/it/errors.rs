//! What the database refuses, and what it is called then.

use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use taskman_errors::{Failure, Kind};
use taskman_postgres::{Config, ConstraintKind, Db, Error};

use crate::databases::{migrated, migrator};

const SCHEMA: &str = "
    CREATE EXTENSION IF NOT EXISTS btree_gist;
    CREATE TABLE companies (id int CONSTRAINT companies_key PRIMARY KEY);
    CREATE TABLE bookings (
        company int NOT NULL CONSTRAINT bookings_company REFERENCES companies,
        title text CONSTRAINT bookings_title CHECK (title <> ''),
        during int4range,
        CONSTRAINT bookings_overlap EXCLUDE USING gist (company WITH =, during WITH &&));
    INSERT INTO companies VALUES (1);
    INSERT INTO bookings VALUES (1, 'first', '[1,5)')";

async fn run(db: &Db, sql: &'static str) -> Error {
    sqlx::query(sql).execute(db.primary()).await.unwrap_err().into()
}

#[tokio::test]
async fn a_violated_constraint_is_known_by_name_and_kind() {
    let db = migrated(&[SCHEMA]).await;
    for (sql, name, kind) in [
        ("INSERT INTO companies VALUES (1)", "companies_key", ConstraintKind::Unique),
        ("INSERT INTO bookings VALUES (2, 'x', NULL)", "bookings_company", ConstraintKind::ForeignKey),
        ("DELETE FROM companies", "bookings_company", ConstraintKind::ForeignKey),
        ("INSERT INTO bookings VALUES (1, '', NULL)", "bookings_title", ConstraintKind::Check),
        ("INSERT INTO bookings VALUES (1, 'x', '[4,6)')", "bookings_overlap", ConstraintKind::Exclusion),
        ("INSERT INTO bookings VALUES (NULL, 'x', NULL)", "company", ConstraintKind::NotNull),
    ] {
        let error = run(&db, sql).await;
        assert!(matches!(&error, Error::Constraint { kind: found, .. } if *found == kind), "{sql}: {error:?}");
        assert_eq!(error.constraint(), Some(name), "{sql}");
        assert_eq!(error.is_unique(name), kind == ConstraintKind::Unique);
    }
}

#[tokio::test]
async fn a_refused_row_is_never_repeated_in_an_error() {
    let db = migrated(&["CREATE TABLE people (email text CHECK (email ~ '@'), age int)"]).await;
    for sql in ["INSERT INTO people VALUES ('secret-address', 1)", "INSERT INTO people (nothing) VALUES (1)"] {
        let error = run(&db, sql).await;
        assert!(!format!("{error} {error:?}").contains("secret-address"), "{error:?}");
    }
}

#[tokio::test]
async fn wrong_sql_is_our_fault_and_a_missing_row_is_not() {
    let db = migrated(&[]).await;
    assert_eq!(run(&db, "SELECT * FROM nowhere").await.kind(), Kind::Internal);
    let missing = sqlx::query("SELECT 1 WHERE false").fetch_one(db.primary()).await.unwrap_err();
    assert!(matches!(Error::from(missing), Error::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_conflict_and_a_deadlock_may_be_repeated() {
    let db =
        migrated(&["CREATE TABLE counters (id int PRIMARY KEY, n int); INSERT INTO counters VALUES (1, 0), (2, 0)"])
            .await;
    let isolate = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    let (mut a, mut b) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    sqlx::query(isolate).execute(&mut *a).await.unwrap();
    sqlx::query("SELECT n FROM counters").fetch_all(&mut *a).await.unwrap();
    sqlx::query("UPDATE counters SET n = 1 WHERE id = 1").execute(&mut *b).await.unwrap();
    b.commit().await.unwrap();
    let conflict: Error =
        sqlx::query("UPDATE counters SET n = 2 WHERE id = 1").execute(&mut *a).await.unwrap_err().into();
    assert!(matches!(conflict, Error::Serialization), "{conflict:?}");
    drop(a);

    let update = |id: i32| AssertSqlSafe(format!("UPDATE counters SET n = n + 1 WHERE id = {id}"));
    let (mut a, mut b) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    sqlx::query(update(1)).execute(&mut *a).await.unwrap();
    sqlx::query(update(2)).execute(&mut *b).await.unwrap();
    let crossing =
        async { tokio::join!(sqlx::query(update(2)).execute(&mut *a), sqlx::query(update(1)).execute(&mut *b)) };
    let (first, second) = crossing.await;
    let loser: Error = first.and(second).unwrap_err().into();
    assert!(matches!(loser, Error::Serialization), "{loser:?}");
    assert!(loser.kind().is_transient());
}

#[tokio::test]
async fn a_lock_that_is_not_given_in_time_is_a_timeout() {
    let db = migrated(&["CREATE TABLE rows (id int); INSERT INTO rows VALUES (1)"]).await;
    let mut holder = db.begin().await.unwrap();
    sqlx::query("SELECT id FROM rows FOR UPDATE").fetch_all(&mut *holder).await.unwrap();
    let mut waiter = db.begin().await.unwrap();
    sqlx::query("SET LOCAL lock_timeout = 50").execute(&mut *waiter).await.unwrap();
    let error: Error = sqlx::query("UPDATE rows SET id = 2").execute(&mut *waiter).await.unwrap_err().into();
    assert_eq!(error.kind(), Kind::Timeout, "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_says_when_to_come_back() {
    let url = SecretString::from("postgres://nobody@127.0.0.1:1/none");
    let config = Config { url, acquire_timeout_ms: 100, ..Config::default() };
    let db = Db::connect(&config, "test", migrator(&[])).unwrap();
    let error = db.begin().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.retry_after().is_some());
    assert!(db.check().await.is_err());
}

#[tokio::test]
async fn an_ended_session_is_unavailable() {
    let db = migrated(&[]).await;
    let mut tx = db.begin().await.unwrap();
    let error: Error =
        sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())").execute(&mut *tx).await.unwrap_err().into();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    drop(tx);
    db.check().await.unwrap();
}
