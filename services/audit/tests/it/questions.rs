//! Questions to the trail: what they show, to whom, and that they are recorded themselves.

use std::collections::HashSet;

use chrono::TimeDelta;
use taskman_events::audit::AuditQueried;
use taskman_events::auth::{LoginFailed, LoginFailure};
use taskman_ids::UserId;
use taskman_proto::audit::audit_service_client::AuditServiceClient;
use taskman_proto::audit::{QueryEventsRequest, Result as Outcome};
use taskman_rpc::{Methods, origin};
use taskman_testkit::{caller, caller_of};
use tonic::Code;

use crate::fixture::{World, ids, of_type, refusal, started, timestamp, wrong_fields};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[tokio::test]
async fn another_company_sees_nothing() {
    let world = World::start().await;
    world.tell(&started("Ours"), MINUTE).await;
    world.stored(1).await;
    let colleague = caller_of(world.auditor.company);
    let seen = world.of(&colleague).query_events(of_type("task.")).await.unwrap().into_inner();
    assert_eq!(seen.events.len(), 1);
    let stranger = world.of(&caller()).query_events(of_type("task.")).await.unwrap().into_inner();
    assert!(stranger.events.is_empty());
}

#[tokio::test]
async fn who_may_not_read_the_trail_is_refused() {
    let world = World::start().await;
    // The gateway asks whether a user may; what the method says of itself is what it asks.
    let methods = Methods::load();
    let method = methods.get("/taskman.audit.v1.AuditService/QueryEvents").unwrap();
    assert_eq!((method.rules.action.as_str(), method.rules.resource.as_str()), ("audit:read", "audit"));
    let nobody = AuditServiceClient::new(world.service.anybody()).query_events(of_type("")).await;
    assert_eq!(refusal(nobody).0, Code::PermissionDenied);
    let tokenless = AuditServiceClient::new(world.service.direct()).query_events(of_type("")).await;
    assert_eq!(refusal(tokenless), (Code::Unauthenticated, "TOKEN_MISSING".into()));
    let service = world.fleet("task").query_events(of_type("")).await;
    assert_eq!(refusal(service).0, Code::PermissionDenied);
}

#[tokio::test]
async fn a_question_spans_the_last_day_unless_it_says_otherwise() {
    let world = World::start().await;
    let [recent, old, older] = [TimeDelta::hours(23), TimeDelta::hours(25), TimeDelta::days(40)];
    let recent_event = world.tell(&started("Recent"), recent).await;
    let old_event = world.tell(&started("Old"), old).await;
    let older_event = world.tell(&started("Older"), older).await;
    world.stored(3).await;
    assert_eq!(ids(&world.ask(of_type("task.")).await), [recent_event.id.to_string()]);
    let month = QueryEventsRequest { start: Some(timestamp(world.past(TimeDelta::days(31)))), ..of_type("task.") };
    let both = [recent_event.id.to_string(), old_event.id.to_string()];
    assert_eq!(ids(&world.ask(month).await), both);
    let long_ago =
        QueryEventsRequest { end: Some(timestamp(world.past(older - TimeDelta::hours(1)))), ..of_type("task.") };
    assert_eq!(ids(&world.ask(long_ago).await), [older_event.id.to_string()]);
}

#[tokio::test]
async fn a_question_that_spans_too_much_or_nothing_is_refused() {
    let world = World::start().await;
    let mut client = world.of(&world.auditor);
    let at = |ago| Some(timestamp(world.past(ago)));
    let too_long = QueryEventsRequest { start: at(TimeDelta::days(31) + MINUTE), ..Default::default() };
    assert_eq!(wrong_fields(client.query_events(too_long).await), ["start"]);
    let backwards = QueryEventsRequest { start: at(MINUTE), end: at(MINUTE * 2), ..Default::default() };
    assert_eq!(wrong_fields(client.query_events(backwards).await), ["start"]);
    let all_wrong = QueryEventsRequest {
        start: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
        end: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
        actor_id: "me".into(),
        event_type: "x".repeat(201),
        target_type: "\n".into(),
        target_id: "x".repeat(201),
        result: 9,
        page_size: -1,
        ..Default::default()
    };
    let fields = ["start", "end", "actor_id", "event_type", "target_type", "target_id", "result", "page_size"];
    assert_eq!(wrong_fields(client.query_events(all_wrong).await), fields);
}

#[tokio::test]
async fn each_filter_leaves_what_it_names() {
    let world = World::start().await;
    let task = world.tell(&started("Task"), MINUTE).await;
    let target = UserId::new();
    let failed =
        LoginFailed { email_hash: "hash".into(), user_id: Some(target), ip: None, reason: LoginFailure::WrongPassword };
    let other = caller_of(world.auditor.company);
    let login = world.envelope(&origin(&other), &failed, MINUTE * 2);
    world.service.publish(&login).await;
    world.stored(2).await;

    let all = QueryEventsRequest::default;
    let (task_id, login_id) = (task.id.to_string(), login.id.to_string());
    for (question, expected) in [
        (of_type("task."), &task_id),
        (of_type("auth.login"), &login_id),
        (QueryEventsRequest { actor_id: world.auditor.user.to_string(), event_type: "task".into(), ..all() }, &task_id),
        (QueryEventsRequest { actor_id: other.user.to_string(), ..all() }, &login_id),
        (QueryEventsRequest { target_type: "task".into(), ..all() }, &task_id),
        (QueryEventsRequest { target_type: "tasks".into(), ..all() }, &task_id),
        (QueryEventsRequest { target_id: target.to_string(), ..all() }, &login_id),
        (QueryEventsRequest { result: Outcome::Failure.into(), ..all() }, &login_id),
    ] {
        assert_eq!(ids(&world.ask(question.clone()).await), [expected.as_str()], "{question:?}");
    }
    // The filter is a beginning, not a pattern.
    assert!(world.ask(of_type("task_")).await.is_empty());
    assert!(world.ask(of_type("%")).await.is_empty());
}

#[tokio::test]
async fn pages_show_each_event_once_while_others_arrive() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for minutes in 1..=7 {
        // Two at the same instant: the id decides.
        for _ in 0..2 {
            expected.push(world.tell(&started("It"), MINUTE * minutes).await.id.to_string());
        }
    }
    world.stored(14).await;
    let mut question = QueryEventsRequest { page_size: 3, ..of_type("task.") };
    let (mut seen, mut arrived) = (Vec::new(), 0);
    loop {
        let page = world.of(&world.auditor).query_events(question.clone()).await.unwrap().into_inner();
        assert!(page.events.len() <= 3);
        seen.extend(page.events.into_iter().map(|event| event.id));
        if page.next_page_token.is_empty() {
            break;
        }
        question.page_token = page.next_page_token;
        // The window of the first page stays, so what is newer does not come in between.
        world.service.clock().advance(MINUTE);
        world.tell(&started("Newer"), TimeDelta::seconds(30)).await;
        arrived += 1;
        // Each question is a record of its own.
        world.stored(14 + 2 * arrived).await;
    }
    assert_eq!(seen.len(), 14);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), expected.into_iter().collect());
}

#[tokio::test]
async fn a_page_token_fits_its_own_question_only() {
    let world = World::start().await;
    for _ in 0..2 {
        world.tell(&started("It"), MINUTE).await;
    }
    world.stored(2).await;
    let question = QueryEventsRequest { page_size: 1, ..of_type("task.") };
    let page_token =
        world.of(&world.auditor).query_events(question.clone()).await.unwrap().into_inner().next_page_token;
    let invalid = (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned());
    let other = QueryEventsRequest { page_token: page_token.clone(), ..of_type("user.") };
    assert_eq!(refusal(world.of(&world.auditor).query_events(other).await), invalid);
    let same = QueryEventsRequest { page_token, ..question };
    assert_eq!(refusal(world.of(&caller()).query_events(same).await), invalid);
}

#[tokio::test]
async fn who_looks_is_recorded() {
    let world = World::start().await;
    world.tell(&started("It"), MINUTE).await;
    world.stored(1).await;
    let asked_at = world.past(TimeDelta::zero());
    world.ask(QueryEventsRequest { target_type: "task".into(), ..of_type("task.") }).await;

    let recorded = world.service.events().await;
    let [recorded] = recorded.iter().filter(|event| event.service() == "audit").collect::<Vec<_>>().try_into().unwrap();
    let queried: AuditQueried = recorded.data().unwrap();
    let expected = AuditQueried {
        user_id: world.auditor.user,
        start: asked_at - TimeDelta::hours(24),
        end: asked_at,
        filters: vec!["event_type".into(), "target_type".into()],
        returned: 1,
    };
    assert_eq!(queried, expected);
    world.stored(2).await;
    world.service.clock().advance(MINUTE);
    let [record] = world.ask(of_type("audit.")).await.try_into().unwrap();
    assert_eq!((record.actor_id, record.ip_address), (world.auditor.user.to_string(), "203.0.113.7".into()));
    assert_eq!((record.action.as_str(), record.source.as_str()), ("queried", "audit"));
    world.service.stop().await;
}
