//! Servers that are killed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;
use taskman_devstack::{Postgres, Profile, RabbitMq};
use taskman_ids::EventId;
use uuid::Uuid;

use crate::handlers::Notes;
use crate::stage::{Stage, endpoints, until};

const AUDIT: &str = "audit.all";
const MAIL: &str = "notification.mail";

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_broker_loses_nothing_and_no_command_fails() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = RabbitMq::start(dir.path().join("rabbitmq"), Profile::Test).await.unwrap();
    let mut stage = Stage::at(&endpoints().postgres_url, &broker.url()).await;
    stage.config.confirm_timeout_ms = 2_000;
    let notes = Notes::of(AUDIT);
    let outbox = stage.start_relay();
    stage.start_consumer(AUDIT, notes.batch());

    // Commands go on all the time; each of them has to succeed.
    let done = AtomicBool::new(false);
    let commands = async {
        let mut ids = Vec::new();
        let mut ticks = tokio::time::interval(Duration::from_millis(2));
        while !done.load(Ordering::SeqCst) {
            ticks.tick().await;
            ids.push(stage.record("under fire").await);
            outbox.wake();
        }
        ids
    };
    let faults = async {
        for _ in 0..2 {
            let before = stage.effects(AUDIT).await;
            until("events flow", async || stage.effects(AUDIT).await > before + 100).await;
            broker.kill().await;
            let before = stage.backlog().await;
            until("a backlog grows", async || stage.backlog().await > before + 50).await;
            broker.restart().await.unwrap();
        }
        let before = stage.effects(AUDIT).await;
        until("events flow again", async || stage.effects(AUDIT).await > before + 100).await;
        done.store(true, Ordering::SeqCst);
    };
    let (ids, ()) = tokio::join!(commands, faults);

    until("the outbox is empty", async || stage.backlog().await == 0).await;
    until("all have arrived", async || stage.effects(AUDIT).await >= i64::try_from(ids.len()).unwrap()).await;
    let distinct: Vec<Uuid> =
        sqlx::query_scalar("SELECT event_id FROM effects ORDER BY event_id").fetch_all(stage.pool()).await.unwrap();
    let mut recorded: Vec<Uuid> = ids.iter().map(EventId::as_uuid).collect();
    recorded.sort_unstable();
    assert_eq!(distinct, recorded, "published is not what was committed, once each");
    stage.end().await;
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_for_a_killed_database_and_use_up_no_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = Postgres::start(dir.path().join("postgres"), Profile::Test).await.unwrap();
    let broker = Stage::new().await;
    let url = broker.config.url.expose_secret();
    let mut stage = Stage::at(&postgres.url(), url).await;
    // One retry, long after the test: what is applied was not retried.
    stage.config.retry_delays_ms = vec![3_600_000];
    stage.start_relay();
    stage.start_consumer(MAIL, Notes::of(MAIL).single());
    stage.record("before").await;
    until("events flow", async || stage.effects(MAIL).await == 1).await;

    postgres.kill().await;
    for _ in 0..20 {
        broker.record("meanwhile").await;
    }
    let outbox = broker.start_relay();
    outbox.wake();
    until("they are in the queue", async || broker.backlog().await == 0).await;
    postgres.restart().await.unwrap();
    until("they are applied", async || stage.effects(MAIL).await == 21).await;
    stage.end().await;
    broker.end().await;
    postgres.stop().await.unwrap();
}
