//! Calls that are repeated with their key.

use chrono::{DateTime, TimeDelta, Utc};
use taskman_errors::{Failure, Kind};
use taskman_ids::{CompanyId, UserId, new_uuid};
use taskman_postgres::Db;
use taskman_postgres::idempotency::{self, Begin, DDL, Key, Refusal};

use crate::databases::migrated;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn key(body: &str) -> Key<'static> {
    Key {
        company: Some(CompanyId::new()),
        caller: Some(UserId::new()),
        method: "/taskman.task.v1.TaskService/CreateTask",
        request_id: new_uuid(),
        request_hash: idempotency::hash(body.as_bytes()),
    }
}

async fn call(db: &Db, key: &Key<'_>, reply: &str, now: DateTime<Utc>) -> Result<Begin, Refusal> {
    let mut tx = db.begin().await?;
    let begin = idempotency::begin(&mut tx, key, now).await?;
    if begin == Begin::Fresh {
        idempotency::complete(&mut tx, key, reply.as_bytes(), now).await?;
    }
    tx.commit().await.map_err(Refusal::from)?;
    Ok(begin)
}

#[tokio::test]
async fn the_same_call_is_replayed_with_its_first_reply() {
    let (db, key) = (migrated(&[DDL]).await, key("body"));
    assert_eq!(call(&db, &key, "first", NOW).await.unwrap(), Begin::Fresh);
    assert_eq!(call(&db, &key, "second", NOW).await.unwrap(), Begin::Replay(b"first".to_vec()));
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let (db, key) = (migrated(&[DDL]).await, key("body"));
    call(&db, &key, "first", NOW).await.unwrap();
    let other = Key { request_hash: idempotency::hash(b"other"), ..key };
    let refusal = call(&db, &other, "second", NOW).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.reason()), (Kind::Invalid, "IDEMPOTENCY_KEY_REUSED"));
}

#[tokio::test]
async fn the_same_key_of_another_company_caller_or_method_is_another_call() {
    let (db, key) = (migrated(&[DDL]).await, key("body"));
    call(&db, &key, "first", NOW).await.unwrap();
    for other in [
        Key { company: Some(CompanyId::new()), ..key },
        Key { company: None, ..key },
        Key { caller: Some(UserId::new()), ..key },
        Key { caller: None, ..key },
        Key { method: "/taskman.task.v1.TaskService/UpdateTask", ..key },
        Key { request_id: new_uuid(), ..key },
    ] {
        assert_eq!(call(&db, &other, "other", NOW).await.unwrap(), Begin::Fresh);
    }
    assert_eq!(call(&db, &key, "again", NOW).await.unwrap(), Begin::Replay(b"first".to_vec()));
}

#[tokio::test]
async fn a_call_that_runs_at_the_same_time_is_in_flight() {
    let (db, key) = (migrated(&[DDL]).await, key("body"));
    let mut running = db.begin().await.unwrap();
    assert_eq!(idempotency::begin(&mut running, &key, NOW).await.unwrap(), Begin::Fresh);
    let refusal = call(&db, &key, "second", NOW).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.reason()), (Kind::Stale, "REQUEST_IN_FLIGHT"));
    assert!(refusal.retry_after().is_some());
    idempotency::complete(&mut running, &key, b"first", NOW).await.unwrap();
    running.commit().await.unwrap();
    assert_eq!(call(&db, &key, "second", NOW).await.unwrap(), Begin::Replay(b"first".to_vec()));
}

#[tokio::test]
async fn of_many_calls_at_once_exactly_one_acts() {
    let (db, key) = (migrated(&[DDL, "CREATE TABLE effects (n int)"]).await, key("body"));
    let act = || async {
        let mut tx = db.begin().await?;
        let begin = idempotency::begin(&mut tx, &key, NOW).await?;
        if begin == Begin::Fresh {
            sqlx::query("INSERT INTO effects VALUES (1)").execute(&mut *tx).await?;
            idempotency::complete(&mut tx, &key, b"done", NOW).await?;
        }
        tx.commit().await.map_err(Refusal::from)
    };
    let outcomes = futures::future::join_all((0..20).map(|_| act())).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(Refusal::InFlight))), "{outcomes:?}");
    let effects: i64 = sqlx::query_scalar("SELECT count(*) FROM effects").fetch_one(db.primary()).await.unwrap();
    assert_eq!(effects, 1);
}

#[tokio::test]
async fn a_call_that_was_rolled_back_is_fresh_again() {
    let (db, key) = (migrated(&[DDL]).await, key("body"));
    let mut failing = db.begin().await.unwrap();
    idempotency::begin(&mut failing, &key, NOW).await.unwrap();
    idempotency::complete(&mut failing, &key, b"lost", NOW).await.unwrap();
    failing.rollback().await.unwrap();
    assert_eq!(call(&db, &key, "kept", NOW).await.unwrap(), Begin::Fresh);
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day() {
    let (db, key) = (migrated(&[DDL]).await, key("body"));
    call(&db, &key, "first", NOW).await.unwrap();
    let almost = NOW + TimeDelta::hours(24) - TimeDelta::microseconds(1);
    assert_eq!(call(&db, &key, "x", almost).await.unwrap(), Begin::Replay(b"first".to_vec()));
    let other = Key { request_hash: idempotency::hash(b"other"), ..key };
    assert_eq!(call(&db, &other, "second", NOW + TimeDelta::hours(24)).await.unwrap(), Begin::Fresh);
}

#[tokio::test]
async fn purging_forgets_what_is_older_than_a_day_and_nothing_else() {
    let db = migrated(&[DDL]).await;
    let (old, young) = (key("old"), key("young"));
    call(&db, &young, "young", NOW + TimeDelta::hours(1)).await.unwrap();
    call(&db, &old, "old", NOW).await.unwrap();
    sqlx::query(
        "INSERT INTO idempotency_keys SELECT gen_random_uuid(), company_id, method, request_id, request_hash, reply, created_at
         FROM idempotency_keys, generate_series(1, 1500) WHERE reply = 'old'",
    )
    .execute(db.primary())
    .await
    .unwrap();
    assert_eq!(idempotency::purge(&db, NOW + TimeDelta::hours(24)).await.unwrap(), 1_501);
    assert_eq!(idempotency::purge(&db, NOW + TimeDelta::hours(24)).await.unwrap(), 0);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys").fetch_one(db.primary()).await.unwrap();
    assert_eq!(kept, 1);
}
