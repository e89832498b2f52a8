//! The envelope: its wire form, and what is refused.

use serde_json::{Value, json};
use taskman_events::task::TaskAssigned;
use taskman_events::{Actor, Envelope, MAX_BYTES, Malformed, Origin, user};
use taskman_ids::{EventId, RequestId};
use uuid::Uuid;

use crate::samples::{COMPANY, SESSION, USER, assigned, time};

fn envelope() -> Envelope {
    let origin = Origin {
        session: Some(SESSION),
        client_address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("grpcurl/1.9".to_owned()),
        request_id: Some(RequestId::from_uuid(Uuid::from_u128(7))),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ..Origin::new(COMPANY, Actor::User(USER))
    };
    Envelope::new(EventId::from_uuid(Uuid::from_u128(9)), &origin, &assigned(), time()).unwrap()
}

fn decode(json: &Value) -> Result<Envelope, Malformed> {
    Envelope::decode(&serde_json::to_vec(json).unwrap())
}

#[test]
fn the_wire_form_is_cloudevents() {
    let mut json = serde_json::to_value(envelope()).unwrap();
    json.as_object_mut().unwrap().remove("data");
    assert_eq!(
        json,
        json!({
            "specversion": "1.0",
            "id": "00000000-0000-0000-0000-000000000009",
            "source": "/taskman/task",
            "type": "dev.taskman.task.assigned.v1",
            "subject": "tasks/01934f00-0000-7000-8000-000000000007",
            "time": "2026-11-21T08:30:00.123456Z",
            "datacontenttype": "application/json",
            "dataschema": "urn:taskman:event:task.assigned:1.0",
            "companyid": "01934f00-0000-7000-8000-000000000001",
            "partitionkey": "01934f00-0000-7000-8000-000000000007",
            "sequence": "00000000000000000002",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "correlationid": "00000000-0000-0000-0000-000000000007",
            "authtype": "user",
            "authid": "01934f00-0000-7000-8000-000000000002",
            "clientaddress": "2001:db8::1",
            "useragent": "grpcurl/1.9",
            "sessionid": "01934f00-0000-7000-8000-000000000004",
            "dataclassification": "internal",
        })
    );
    for name in json.as_object().unwrap().keys() {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        assert!(plain && name.len() <= 20, "{name} is not a name that CloudEvents allows");
    }
}

#[test]
fn an_envelope_reads_back_what_it_wrote() {
    let envelope = envelope();
    let read = decode(&serde_json::to_value(&envelope).unwrap()).unwrap();
    assert_eq!(read, envelope);
    assert_eq!(read.routing_key(), "task.assigned");
    assert_eq!(read.service(), "task");
    assert_eq!(read.version(), Some(2));
    assert_eq!(read.target(), ("tasks", "01934f00-0000-7000-8000-000000000007"));
    assert_eq!(read.data::<TaskAssigned>().unwrap(), assigned());
}

#[test]
fn the_classification_follows_the_fields() {
    let deactivated = user::CompanyCreated {
        company: user::Company {
            id: COMPANY,
            name: "Example".to_owned(),
            slug: "example".to_owned(),
            status: user::CompanyStatus::Active,
            version: 1,
        },
        admin_user_id: USER,
    };
    let plain = Envelope::new(EventId::new(), &Origin::system(COMPANY), &deactivated, time()).unwrap();
    assert_eq!(plain.data_classification, "internal");
    let login = taskman_events::auth::LoginSuccess {
        user_id: USER,
        session_id: SESSION,
        ip: None,
        user_agent: None,
        method: taskman_events::auth::LoginMethod::Password,
    };
    let personal = Envelope::new(EventId::new(), &Origin::system(COMPANY), &login, time()).unwrap();
    assert_eq!(personal.data_classification, "personal");
    assert_eq!((personal.auth_type.as_str(), personal.sequence), ("system", None));
}

#[test]
fn what_follows_an_event_keeps_its_company_request_and_trace() {
    let cause = envelope();
    let origin = Origin::following(&cause, "notification");
    assert_eq!((origin.company, origin.causation), (COMPANY, Some(cause.id)));
    assert_eq!((origin.request_id, &origin.traceparent), (cause.correlation_id, &cause.traceparent));
    assert_eq!((origin.actor, origin.client_address), (Actor::Service("notification"), None));
}

#[test]
fn what_is_not_an_event_of_a_known_version_is_refused() {
    let good = serde_json::to_value(envelope()).unwrap();
    let with = |name: &str, value: Value| {
        let mut json = good.clone();
        json[name] = value;
        decode(&json)
    };
    assert!(matches!(with("type", "dev.taskman.task.assigned.v2".into()), Err(Malformed::Version)));
    assert!(matches!(with("type", "com.example.task".into()), Err(Malformed::Version)));
    assert!(matches!(with("specversion", "0.3".into()), Err(Malformed::Version)));
    assert!(matches!(with("companyid", "all".into()), Err(Malformed::Envelope(_))));
    assert!(matches!(with("data", "x".repeat(MAX_BYTES).into()), Err(Malformed::TooLarge(_))));
    assert!(matches!(Envelope::decode(b"{"), Err(Malformed::Envelope(_))));
}

#[test]
fn an_event_is_read_only_as_what_it_is() {
    let mut envelope = envelope();
    assert!(matches!(envelope.data::<user::UserCreated>(), Err(Malformed::Type { expected: "user.created" })));
    envelope.data = json!({ "task": 1 });
    assert!(matches!(envelope.data::<TaskAssigned>(), Err(Malformed::Data { key: "task.assigned", .. })));
}
