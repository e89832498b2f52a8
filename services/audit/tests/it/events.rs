//! Events come through the broker and become records: each once, whatever happens.

use chrono::TimeDelta;
use taskman_events::Exchange;
use taskman_events::authz::DecisionDenied;
use taskman_ids::{DecisionId, UserId};
use taskman_proto::audit::{ActorType, AuditEvent, Result as Outcome};
use taskman_rpc::origin;
use taskman_testkit::wait_until;

use crate::fixture::{World, of_type, started, text_of, timestamp};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[tokio::test]
async fn a_record_says_what_the_event_said() {
    let world = World::start().await;
    let event = started("Write it down");
    let mut envelope = world.envelope(&origin(&world.auditor), &event, MINUTE);
    envelope.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    world.service.publish(&envelope).await;
    world.stored(1).await;

    let [record] = world.ask(of_type("task.")).await.try_into().unwrap();
    assert_eq!(text_of(&record, &["task", "title"]).as_deref(), Some("Write it down"));
    let auditor = &world.auditor;
    let expected = AuditEvent {
        id: envelope.id.to_string(),
        timestamp: Some(timestamp(envelope.time)),
        event_type: "task.started".into(),
        actor_id: auditor.user.to_string(),
        actor_type: ActorType::User.into(),
        actor_email: String::new(),
        target_type: "task".into(),
        target_id: event.task.id.to_string(),
        action: "started".into(),
        result: Outcome::Success.into(),
        ip_address: "203.0.113.7".into(),
        user_agent: "testkit".into(),
        metadata: record.metadata.clone(),
        recorded_at: Some(timestamp(world.past(TimeDelta::zero()))),
        source: "task".into(),
        request_id: auditor.client.request_id.to_string(),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
        session_id: auditor.session.to_string(),
    };
    assert_eq!(record, expected);
    world.service.stop().await;
}

#[tokio::test]
async fn a_refusal_is_a_failure() {
    let world = World::start().await;
    let now = world.past(MINUTE);
    let denied = DecisionDenied {
        decision_id: DecisionId::new(),
        user_id: UserId::new(),
        action: "tasks:delete".into(),
        resource: "tasks/1".into(),
        reasons: vec!["NO_POLICY".into()],
        count: 3,
        first_at: now,
        last_at: now,
    };
    world.tell(&denied, MINUTE).await;
    world.stored(1).await;
    let [record] = world.ask(of_type("authz.")).await.try_into().unwrap();
    assert_eq!((record.action.as_str(), record.result()), ("denied", Outcome::Failure));
}

#[tokio::test]
async fn a_repeated_event_is_one_record() {
    let world = World::start().await;
    let envelope = world.tell(&started("One"), MINUTE).await;
    world.service.publish(&envelope).await;
    world.tell(&started("Two"), MINUTE).await;
    world.stored(2).await;
    // Even when the inbox has forgotten it, as it does after a month.
    sqlx::query("DELETE FROM inbox").execute(world.service.pool()).await.unwrap();
    world.service.publish(&envelope).await;
    world.tell(&started("Three"), MINUTE).await;
    world.stored(3).await;
    assert_eq!(world.ask(of_type("task.")).await.len(), 3);
    world.service.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_stored_does_not_take_its_neighbours_along() {
    // Long enough that they all share a batch.
    let world = World::start_with(|broker| broker.batch_wait_ms = 1_500).await;
    let space = world.service.space();
    for title in ["One", "Two", "Three"] {
        world.tell(&started(title), MINUTE).await;
    }
    space.publish_raw(Exchange::Task.name(), "task.started", "no-event", b"{\"no\": \"event\"}").await;
    // A well-formed event of a time that the database has no place for.
    let envelope = world.envelope(&origin(&world.auditor), &started("Never"), MINUTE);
    let mut json = serde_json::to_value(&envelope).unwrap();
    json["time"] = "-100000-01-01T00:00:00Z".into();
    let payload = serde_json::to_vec(&json).unwrap();
    space.publish_raw(Exchange::Task.name(), "task.started", &envelope.id.to_string(), &payload).await;
    for title in ["Four", "Five"] {
        world.tell(&started(title), MINUTE).await;
    }
    world.stored(5).await;

    let dead = || async {
        let letters: Vec<(String, String)> =
            sqlx::query_as("SELECT message_id, class FROM dead_letters WHERE consumer = 'audit.all' ORDER BY class")
                .fetch_all(world.service.pool())
                .await
                .unwrap();
        letters
    };
    wait_until("both dead letters", || async { dead().await.len() == 2 }).await;
    let expected = [(envelope.id.to_string(), "permanent".to_owned()), ("no-event".to_owned(), "poison".to_owned())];
    assert_eq!(dead().await, expected);
    assert_eq!(world.rows(world.auditor.company).await, 5);
    world.service.stop().await;
}

#[tokio::test]
async fn five_thousand_events_arrive_completely() {
    let world = World::start().await;
    let events: Vec<_> = (0..1_000).map(|number| started(&format!("Task {number}"))).collect();
    for _ in 0..5 {
        world.relay(&origin(&world.auditor), &events).await;
    }
    for rows in 1..=5 {
        let enough = || async { world.rows(world.auditor.company).await >= rows * 1_000 };
        wait_until("another thousand", enough).await;
    }
    // Each has the number that its publisher gave it, and none is missing.
    let numbers: (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT producer_seq), max(producer_seq) - min(producer_seq) FROM audit_events
         WHERE company_id = $1",
    )
    .bind(world.auditor.company)
    .fetch_one(world.service.pool())
    .await
    .unwrap();
    assert_eq!(numbers, (5_000, 5_000, 4_999));
    world.service.stop().await;
}

#[tokio::test]
async fn two_replicas_share_the_queue_and_lose_nothing() {
    let world = World::start_with(|broker| broker.batch_size = 50).await;
    let company = world.auditor.company;
    let events: Vec<_> = (0..1_000).map(|number| started(&format!("Task {number}"))).collect();
    let second = world.replica(|_| {}).await.unwrap();
    world.relay(&origin(&world.auditor), &events).await;
    wait_until("some records", || async { world.rows(company).await >= 200 }).await;
    // What the second has taken and not stored goes back to the queue.
    let stopped = second.stop().await;
    assert!(stopped.in_time && stopped.panics == 0);
    world.relay(&origin(&world.auditor), &events).await;
    world.stored(2_000).await;
    let dead: i64 =
        sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(world.service.pool()).await.unwrap();
    assert_eq!(dead, 0);
    world.service.stop().await;
}

#[tokio::test]
async fn an_event_of_a_service_or_of_nobody_has_no_actor() {
    use taskman_events::{Actor, Origin};
    let world = World::start().await;
    for (actor, expected) in [
        (Actor::Service("notification"), ActorType::Service),
        (Actor::System, ActorType::System),
        (Actor::Anonymous, ActorType::Anonymous),
    ] {
        let envelope = world.envelope(&Origin::new(world.auditor.company, actor), &started("It"), MINUTE);
        world.service.publish(&envelope).await;
        wait_until("the record", || async {
            let records = world.ask(of_type("task.")).await;
            records.iter().any(|record| record.id == envelope.id.to_string() && record.actor_type() == expected)
        })
        .await;
    }
    assert!(world.ask(of_type("task.")).await.iter().all(|record| record.actor_id.is_empty()));
}
