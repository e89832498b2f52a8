//! Records that services tell of directly.

use chrono::TimeDelta;
use prost_types::value::Kind;
use taskman_ids::{CompanyId, EventId, UserId};
use taskman_proto::audit::{ActorType, AuditEvent, LogEventRequest, Result as Outcome};
use tonic::Code;

use crate::fixture::{World, of_type, refusal, text_of, timestamp, wrong_fields};

fn record(world: &World) -> AuditEvent {
    let fields = [("rule".to_owned(), prost_types::Value { kind: Some(Kind::StringValue("cors".into())) })];
    AuditEvent {
        id: EventId::new().to_string(),
        timestamp: Some(timestamp(world.past(TimeDelta::minutes(1)))),
        event_type: "gateway.request.blocked".into(),
        actor_type: ActorType::User.into(),
        actor_id: UserId::new().to_string(),
        actor_email: "ada@example.com".into(),
        target_type: "route".into(),
        target_id: "/api/v1/tasks".into(),
        result: Outcome::Failure.into(),
        ip_address: "2001:db8::1".into(),
        user_agent: "curl".into(),
        metadata: Some(prost_types::Struct { fields: fields.into() }),
        ..AuditEvent::default()
    }
}

fn request(world: &World, event: AuditEvent) -> LogEventRequest {
    LogEventRequest { event: Some(event), company_id: world.auditor.company.to_string() }
}

#[tokio::test]
async fn a_record_is_there_when_the_answer_is() {
    let world = World::start().await;
    let sent = record(&world);
    let mut gateway = world.fleet("gateway");
    assert!(gateway.log_event(request(&world, sent.clone())).await.unwrap().into_inner().recorded);
    let [stored] = world.ask(of_type("gateway.")).await.try_into().unwrap();
    let expected = AuditEvent {
        action: "blocked".into(),
        source: "gateway".into(),
        recorded_at: Some(timestamp(world.past(TimeDelta::zero()))),
        ..sent.clone()
    };
    assert_eq!(stored, expected);
    assert_eq!(text_of(&stored, &["rule"]).as_deref(), Some("cors"));

    assert!(!gateway.log_event(request(&world, sent)).await.unwrap().into_inner().recorded);
    assert_eq!(world.ask(of_type("gateway.")).await.len(), 1);
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let world = World::start().await;
    let mut gateway = world.fleet("gateway");
    let huge = prost_types::Value { kind: Some(Kind::StringValue("x".repeat(17_000))) };
    let wrong = LogEventRequest {
        company_id: "ours".into(),
        event: Some(AuditEvent {
            timestamp: Some(timestamp(world.past(TimeDelta::minutes(-6)))),
            event_type: "Blocked".into(),
            actor_type: ActorType::User.into(),
            request_id: "1".into(),
            session_id: "1".into(),
            trace_id: "1".into(),
            ip_address: "localhost".into(),
            user_agent: "\0".into(),
            metadata: Some(prost_types::Struct { fields: [("huge".to_owned(), huge)].into() }),
            ..AuditEvent::default()
        }),
    };
    let names = ["id", "timestamp", "event_type", "actor_id", "result", "request_id", "session_id", "trace_id"];
    let more = ["ip_address", "user_agent", "metadata"];
    let fields: Vec<String> = std::iter::once("company_id".to_owned())
        .chain(names.into_iter().chain(more).map(|name| format!("event.{name}")))
        .collect();
    assert_eq!(wrong_fields(gateway.log_event(wrong).await), fields);

    let nothing = LogEventRequest { event: None, company_id: CompanyId::new().to_string() };
    assert_eq!(wrong_fields(gateway.log_event(nothing).await), ["event"]);
    let nobody = AuditEvent { actor_id: String::new(), actor_type: 0, ..record(&world) };
    assert_eq!(wrong_fields(gateway.log_event(request(&world, nobody)).await), ["event.actor_type"]);
    let system = AuditEvent { actor_type: ActorType::System.into(), ..record(&world) };
    assert_eq!(wrong_fields(gateway.log_event(request(&world, system)).await), ["event.actor_id"]);
}

#[tokio::test]
async fn users_and_strangers_record_nothing() {
    let world = World::start().await;
    let refused = world.of(&world.auditor).log_event(request(&world, record(&world))).await;
    assert_eq!(refusal(refused).0, Code::PermissionDenied);
    assert_eq!(world.rows(world.auditor.company).await, 0);
}
