//! From the outbox to the queue.

use std::collections::BTreeSet;

use lapin::types::FieldTable;
use taskman_messaging::{Error, outbox, purge};
use taskman_telemetry::{install_for_tests, propagation};
use tracing::Instrument;

use crate::handlers::Notes;
use crate::stage::{Stage, assigned, now, until};

const AUDIT: &str = "audit.all";
const MAIL: &str = "notification.mail";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_rolled_back_transaction_is_never_published() {
    let stage = Stage::new().await;
    let notes = Notes::of(AUDIT);
    let outbox = stage.start_relay();
    stage.start_consumer(AUDIT, notes.batch());

    let mut tx = stage.db.begin().await.unwrap();
    let lost = outbox::record(&mut tx, &stage.origin(), &assigned("lost"), now()).await.unwrap();
    tx.rollback().await.unwrap();
    let kept = stage.record("kept").await;
    outbox.wake();

    until("the committed event arrives", async || stage.effects_of(AUDIT, kept).await == 1).await;
    assert_eq!(stage.effects_of(AUDIT, lost).await, 0);
    assert_eq!(notes.numbers.lock().unwrap().as_slice(), [Some(1)], "the lost event has no number either");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_concurrent_transactions_arrive_once_each_and_their_numbers_have_no_gaps() {
    const WRITERS: usize = 8;
    const EACH: usize = 20;
    let stage = Stage::new().await;
    let notes = Notes::of(AUDIT);
    // Two replicas of the service.
    stage.start_relay();
    let outbox = stage.start_relay();
    stage.start_consumer(AUDIT, notes.batch());

    let writers = (0..WRITERS).map(|writer| {
        let (stage, outbox) = (&stage, outbox.clone());
        async move {
            for turn in 0..EACH {
                let mut tx = stage.db.begin().await.unwrap();
                let events = [assigned("one"), assigned("other")];
                outbox::record_all(&mut tx, &stage.origin(), &events, now()).await.unwrap();
                if (writer + turn) % 4 == 0 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                    outbox.wake();
                }
            }
        }
    });
    futures::future::join_all(writers).await;

    let expected = WRITERS * EACH * 3 / 4 * 2;
    until("all have arrived", async || stage.effects(AUDIT).await >= i64::try_from(expected).unwrap()).await;
    until("all are marked", async || stage.backlog().await == 0).await;
    let distinct: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT event_id) FROM effects").fetch_one(stage.pool()).await.unwrap();
    assert_eq!((stage.effects(AUDIT).await, distinct), (distinct, i64::try_from(expected).unwrap()));
    let numbers: BTreeSet<i64> = notes.numbers.lock().unwrap().iter().map(|number| number.unwrap()).collect();
    assert!(numbers.into_iter().eq(1..=i64::try_from(expected).unwrap()), "the numbers have gaps");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_queue_wants_stays_until_one_does() {
    let stage = Stage::new().await;
    let notes = Notes::of(AUDIT);
    let outbox = stage.start_relay();
    stage.start_consumer(AUDIT, notes.batch());
    // The relay declares everything when it connects, so the bindings are taken away after it has published.
    stage.record("first").await;
    until("the relay is connected", async || stage.effects(AUDIT).await == 1).await;
    let (connection, channel) = stage.channel().await;
    for (queue, pattern) in [(AUDIT, "#"), (MAIL, "task.assigned")] {
        let unbound = channel.queue_unbind(queue.into(), "task.events".into(), pattern.into(), FieldTable::default());
        unbound.await.unwrap();
    }

    let stuck = stage.record("stuck").await;
    outbox.wake();
    until("the broker has returned it", async || {
        let error: Option<String> = sqlx::query_scalar("SELECT last_error FROM outbox WHERE id = $1")
            .bind(stuck)
            .fetch_one(stage.pool())
            .await
            .unwrap();
        error.is_some_and(|error| error.contains("no queue"))
    })
    .await;
    assert_eq!((stage.backlog().await, stage.effects_of(AUDIT, stuck).await), (1, 0));

    stage.declare().await;
    until("it is published after all", async || stage.effects_of(AUDIT, stuck).await == 1).await;
    until("it is marked", async || stage.backlog().await == 0).await;
    connection.close(200, "bye".into()).await.unwrap();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unroutable_events_among_others_are_told_apart() {
    let stage = Stage::new().await;
    let outbox = stage.start_relay();
    stage.start_consumer(AUDIT, Notes::of(AUDIT).batch());
    stage.record("first").await;
    until("the relay is connected", async || stage.effects(AUDIT).await == 1).await;
    let (connection, channel) = stage.channel().await;
    let unbound = channel.queue_unbind(AUDIT.into(), "task.events".into(), "#".into(), FieldTable::default());
    unbound.await.unwrap();

    // task.assigned still goes to the mail queue, task.created goes nowhere.
    let mut tx = stage.db.begin().await.unwrap();
    for _ in 0..100 {
        outbox::record(&mut tx, &stage.origin(), &assigned("wanted"), now()).await.unwrap();
        let created = taskman_events::task::TaskCreated { task: assigned("unwanted").task };
        outbox::record(&mut tx, &stage.origin(), &created, now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    outbox.wake();
    until("the wanted are marked", async || stage.backlog().await == 100).await;
    let wrong: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM outbox WHERE (routing_key = 'task.created') = (published_at IS NOT NULL)",
    )
    .fetch_one(stage.pool())
    .await
    .unwrap();
    assert_eq!(wrong, 0, "an event was marked that was returned, or the other way round");
    assert_eq!(stage.depth(MAIL).await, 101);
    connection.close(200, "bye".into()).await.unwrap();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_dies_between_publishing_and_marking_costs_a_duplicate_only() {
    let stage = Stage::new().await;
    let notes = Notes::of(AUDIT);
    stage.start_consumer(AUDIT, notes.batch());
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
                  CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH ROW
                  WHEN (NEW.published_at IS NOT NULL) EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refuse).execute(stage.pool()).await.unwrap();
    let event = stage.record("twice").await;
    stage.start_relay();
    until("it was published", async || stage.effects_of(AUDIT, event).await == 1).await;
    assert_eq!(stage.backlog().await, 1, "and is not marked");

    sqlx::raw_sql("DROP TRIGGER refuse ON outbox").execute(stage.pool()).await.unwrap();
    until("it is published again and marked", async || stage.backlog().await == 0).await;
    let marker = stage.record("marker").await;
    until("the marker arrives", async || stage.effects_of(AUDIT, marker).await == 1).await;
    assert_eq!(stage.effects_of(AUDIT, event).await, 1);
    let attempts: i32 = sqlx::query_scalar("SELECT attempts FROM outbox WHERE id = $1")
        .bind(event)
        .fetch_one(stage.pool())
        .await
        .unwrap();
    assert!(attempts > 1, "it was published once only, so nothing was proved");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_the_request_goes_through_to_the_handler() {
    let _telemetry = install_for_tests();
    let stage = Stage::new().await;
    let notes = Notes::of(MAIL);
    stage.start_relay();
    stage.start_consumer(MAIL, notes.single());
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = tracing::info_span!("request");
    propagation::set_parent(&request, Some(&format!("00-{trace}-b7ad6b7169203331-01")), None);
    let event = stage.record("traced").instrument(request).await;
    until("it arrives", async || stage.effects_of(MAIL, event).await == 1).await;
    assert_eq!(notes.traces.lock().unwrap().as_slice(), [Some(trace.to_owned())]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_told_to_stop_empties_the_outbox_first() {
    let stage = Stage::new().await;
    let outbox = stage.start_relay();
    stage.record("first").await;
    until("the relay is connected", async || stage.backlog().await == 0).await;
    let mut tx = stage.db.begin().await.unwrap();
    let events: Vec<_> = (0..3_000).map(|_| assigned("many")).collect();
    outbox::record_all(&mut tx, &stage.origin(), &events, now()).await.unwrap();
    tx.commit().await.unwrap();
    outbox.wake();
    stage.stop.cancel();
    stage.tasks.close();
    stage.tasks.wait().await;
    assert_eq!(stage.backlog().await, 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_refused_before_it_is_stored() {
    let stage = Stage::new().await;
    let mut tx = stage.db.begin().await.unwrap();
    let huge = assigned(&"x".repeat(taskman_events::MAX_BYTES));
    let refused = outbox::record(&mut tx, &stage.origin(), &huge, now()).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    tx.commit().await.unwrap();
    assert_eq!(stage.backlog().await, 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_past_its_retention_is_purged() {
    let stage = Stage::new().await;
    for title in ["unpublished", "young", "old"] {
        stage.record(title).await;
    }
    let age = "UPDATE outbox SET published_at = clock_timestamp() - make_interval(days => 8)
               WHERE id = (SELECT max(id::text)::uuid FROM outbox);
               UPDATE outbox SET published_at = clock_timestamp() - make_interval(days => 6)
               WHERE id = (SELECT max(id::text)::uuid FROM outbox WHERE published_at IS NULL);
               INSERT INTO inbox (consumer, event_id, company_id, received_at)
               SELECT 'audit.all', gen_random_uuid(), company_id, clock_timestamp() - make_interval(days => days)
               FROM outbox, unnest(ARRAY[29, 31]) AS days WHERE published_at IS NULL";
    sqlx::raw_sql(age).execute(stage.pool()).await.unwrap();
    assert_eq!(purge(stage.pool(), &stage.config).await.unwrap(), 2, "one of the outbox, one of the inbox");
    assert_eq!(purge(stage.pool(), &stage.config).await.unwrap(), 0);
    assert_eq!(stage.backlog().await, 1);
    stage.end().await;
}
