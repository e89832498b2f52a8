//! Denials are recorded: equal ones once, with a count.

use chrono::TimeDelta;
use taskman_events::authz::DecisionDenied;
use taskman_ids::UserId;
use taskman_proto::authorization::{DecideBatchRequest, Outcome, Question};
use taskman_testkit::wait_for;

use crate::world::{World, allow};

#[tokio::test]
async fn equal_denials_are_recorded_once_with_a_count() {
    let world = World::start_with(|config| config.record_denials_ms = 20).await;
    let user = world.user(&[]);
    let mut request = world.question(user, "tasks:edit", &["tasks/1"]);
    request.at_least_position = Some(world.head());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let denied = world.ask(request.clone()).await.unwrap();
        assert_eq!(denied.outcome(), Outcome::Deny);
        ids.push(denied.decision_id);
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "equal denials have one name");
    world.ask(world.question(user, "tasks:edit", &["tasks/2"])).await.unwrap();
    world.service.clock().advance(TimeDelta::seconds(1));
    let events = wait_for("both denials to be recorded", || async {
        let events = of(&world, user).await;
        (events.len() == 2).then_some(events)
    })
    .await;
    let (envelope, denied) = &events[0];
    assert_eq!((denied.count, denied.decision_id.to_string()), (3, ids[0].clone()));
    assert_eq!((denied.action.as_str(), denied.resource.as_str()), ("tasks:edit", "tasks/1"));
    assert_eq!(denied.reasons, ["DEFAULT_DENY"]);
    assert_eq!(envelope.company_id, world.company);
    assert_eq!(envelope.auth_id, Some(user));
    assert_eq!(envelope.client_address.as_deref(), Some("203.0.113.7"));
    assert_eq!(envelope.user_agent.as_deref(), Some("testkit"));
    assert_eq!(envelope.correlation_id.map(|id| id.to_string()), Some(request.request_id));
    assert_eq!((events[1].1.count, events[1].1.resource.as_str()), (1, "tasks/2"));
    world.service.stop().await;
}

#[tokio::test]
async fn nothing_else_is_recorded_and_stopping_records_what_is_left() {
    let world = World::start_with(|config| config.record_denials_ms = 20).await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    let batch = DecideBatchRequest {
        user_id: user.to_string(),
        company_id: world.company.to_string(),
        questions: vec![Question { action: "tasks:edit".to_owned(), resource: "tasks/1".to_owned() }],
        at_least_position: None,
    };
    world.client().decide_batch(batch).await.unwrap();
    // The clock stands still, so the second of this denial never ends by itself.
    world.ask(world.question(user, "users:edit", &["users/1"])).await.unwrap();
    let options = world.service.pool().connect_options();
    world.service.stop().await;
    let pool = sqlx::PgPool::connect_with((*options).clone()).await.unwrap();
    let payloads: Vec<Vec<u8>> = sqlx::query_scalar("SELECT payload FROM outbox").fetch_all(&pool).await.unwrap();
    let about: Vec<DecisionDenied> = payloads
        .iter()
        .map(|payload| taskman_events::Envelope::decode(payload).unwrap().data().unwrap())
        .filter(|denied: &DecisionDenied| denied.user_id == user)
        .collect();
    assert_eq!(about.iter().map(|denied| denied.action.as_str()).collect::<Vec<_>>(), ["users:edit"]);
}

async fn of(world: &World, user: UserId) -> Vec<(taskman_events::Envelope, DecisionDenied)> {
    let events = world.service.events().await.into_iter().map(|envelope| {
        let denied: DecisionDenied = envelope.data().unwrap();
        (envelope, denied)
    });
    events.filter(|(_, denied)| denied.user_id == user).collect()
}
