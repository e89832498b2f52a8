//! Between the proto messages and the types of the domain.

use std::net::IpAddr;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use taskman_errors::{Violation, Violations};
use taskman_ids::{CompanyId, EventId, RequestId, SessionId, UserId};
use taskman_paging::{Page, PageSize};
use taskman_proto::audit as proto;

use super::structs;
use crate::app::query_events::{Place, QueryEvents};
use crate::domain::event::{Actor, Event, Fact, Target, is_trace_id, singular};
use crate::domain::outcome::{self, Outcome};
use crate::domain::personal::{self, Client, MAX_DATA_BYTES, Personal, Schemas};
use crate::domain::window::Window;
use crate::store::event::Filter;

/// How far the clocks of two machines may differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Reads a record that `service` tells of. What it says of its own source, and when it was recorded, does not count.
pub(super) fn event(
    request: proto::LogEventRequest,
    service: String,
    schemas: &Schemas,
    now: DateTime<Utc>,
) -> Result<Event, Vec<Violation>> {
    let mut found = Violations::new();
    let company = found.check("company_id", CompanyId::parse(&request.company_id));
    let Some(sent) = request.event else {
        found.add("event", "is missing");
        return found.finish_with(None);
    };
    let id = found.check("event.id", EventId::parse(&sent.id));
    let occurred_at = found.check("event.timestamp", happened(sent.timestamp, now));
    let event_type = found.check("event.event_type", event_type(&sent.event_type));
    let actor = actor(&sent, &service, &mut found);
    let outcome = found.check("event.result", required_result(sent.result));
    let request_id = found.check("event.request_id", optional(&sent.request_id, RequestId::parse));
    let session = found.check("event.session_id", optional(&sent.session_id, SessionId::parse));
    let trace_id = found.check("event.trace_id", optional(&sent.trace_id, trace_id));
    let target_type = found.check("event.target_type", short(&sent.target_type, 100));
    let target_id = found.check("event.target_id", short(&sent.target_id, 200));
    let action = found.check("event.action", short(&sent.action, 100));
    let client = client(&sent, &mut found);
    let data = structs::to_json(sent.metadata.unwrap_or_default());
    if personal::size(&data) > MAX_DATA_BYTES {
        found.add("event.metadata", "must be at most 16 KiB as JSON");
    }
    let event = (|| {
        let (event_type, action) = (event_type?, action?);
        let data = personal::bounded(data.into());
        // A service answers for what it writes into metadata of its own; what is an event has that event's schema.
        let (metadata, about) =
            if schemas.know(&event_type) { schemas.split(&event_type, data) } else { (data, serde_json::Map::new()) };
        let fact = Fact {
            id: id?,
            company: company?,
            occurred_at: occurred_at?,
            recorded_at: now,
            actor: actor?,
            target: Target { kind: singular(&target_type?), id: target_id? },
            action: if action.is_empty() { outcome::action(&event_type).to_owned() } else { action },
            event_type,
            outcome: outcome?,
            source: service,
            request_id: request_id?,
            trace_id: trace_id?,
            session: session?,
            causation: None,
            producer_seq: None,
            data_schema: None,
            metadata,
        };
        Some(Event { fact, personal: Personal { client: client?, data: about } })
    })();
    found.finish_with(event)
}

/// Reads a question.
pub(super) fn query(request: proto::QueryEventsRequest, now: DateTime<Utc>) -> Result<QueryEvents, Vec<Violation>> {
    let mut found = Violations::new();
    let start = found.check("start", request.start.map(time).transpose());
    let end = found.check("end", request.end.map(time).transpose());
    let place = match (start, end) {
        (Some(start), Some(end)) if request.page_token.is_empty() => {
            found.check("start", Window::resolve(start, end, now)).map(Place::First)
        }
        _ => Some(Place::After(request.page_token)),
    };
    let actor = found.check("actor_id", optional(&request.actor_id, UserId::parse));
    let event_type = found.check("event_type", short(&request.event_type, 200));
    let target_type = found.check("target_type", short(&request.target_type, 100));
    let target_id = found.check("target_id", short(&request.target_id, 200));
    let outcome = found.check("result", result(request.result));
    let size = found.check("page_size", PageSize::parse(request.page_size));
    let query = (|| {
        let filter = Filter {
            event_type: non_empty(event_type?),
            actor: actor?,
            target_type: non_empty(singular(&target_type?)),
            target_id: non_empty(target_id?),
            outcome: outcome?,
        };
        Some(QueryEvents { filter, start: start?, end: end?, place: place?, size: size? })
    })();
    found.finish_with(query)
}

/// Shows a page.
pub(super) fn page(page: Page<Event>) -> proto::QueryEventsResponse {
    let Page { items, next_page_token } = page;
    proto::QueryEventsResponse { events: items.into_iter().map(Into::into).collect(), next_page_token }
}

impl From<Event> for proto::AuditEvent {
    fn from(Event { fact, personal: Personal { client, data } }: Event) -> Self {
        let mut metadata = fact.metadata;
        personal::merge(&mut metadata, data);
        let (actor_type, actor_id) = match &fact.actor {
            Actor::User(user) => (proto::ActorType::User, user.to_string()),
            Actor::Service(_) => (proto::ActorType::Service, String::new()),
            Actor::System => (proto::ActorType::System, String::new()),
            Actor::Anonymous => (proto::ActorType::Anonymous, String::new()),
        };
        Self {
            id: fact.id.to_string(),
            timestamp: Some(timestamp(fact.occurred_at)),
            event_type: fact.event_type,
            actor_id,
            actor_type: actor_type.into(),
            actor_email: client.email.unwrap_or_default(),
            target_type: fact.target.kind,
            target_id: fact.target.id,
            action: fact.action,
            result: proto::Result::from(fact.outcome).into(),
            ip_address: client.ip_address.unwrap_or_default(),
            user_agent: client.user_agent.unwrap_or_default(),
            metadata: Some(structs::from_json(metadata)),
            recorded_at: Some(timestamp(fact.recorded_at)),
            source: fact.source,
            request_id: fact.request_id.map(|id| id.to_string()).unwrap_or_default(),
            trace_id: fact.trace_id.unwrap_or_default(),
            session_id: fact.session.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<Outcome> for proto::Result {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure => Self::Failure,
        }
    }
}

fn actor(sent: &proto::AuditEvent, service: &str, found: &mut Violations) -> Option<Actor> {
    let id = found.check("event.actor_id", optional(&sent.actor_id, UserId::parse))?;
    let actor = match (proto::ActorType::try_from(sent.actor_type), id) {
        (Ok(proto::ActorType::User), Some(user)) => Actor::User(user),
        (Ok(proto::ActorType::User), None) => {
            found.add("event.actor_id", "must name the user who acted");
            return None;
        }
        (_, Some(_)) => {
            found.add("event.actor_id", "must be empty unless a user acted");
            return None;
        }
        (Ok(proto::ActorType::Service), None) => Actor::Service(service.to_owned()),
        (Ok(proto::ActorType::System), None) => Actor::System,
        (Ok(proto::ActorType::Anonymous), None) => Actor::Anonymous,
        (Ok(proto::ActorType::Unspecified) | Err(_), None) => {
            found.add("event.actor_type", "must say who acted");
            return None;
        }
    };
    Some(actor)
}

fn client(sent: &proto::AuditEvent, found: &mut Violations) -> Option<Client> {
    let address = found.check("event.ip_address", optional(&sent.ip_address, ip_address));
    let user_agent = found.check("event.user_agent", short(&sent.user_agent, 512));
    let email = found.check("event.actor_email", short(&sent.actor_email, 254));
    Some(Client { ip_address: address?, user_agent: non_empty(user_agent?), email: non_empty(email?) })
}

fn happened(sent: Option<prost_types::Timestamp>, now: DateTime<Utc>) -> Result<DateTime<Utc>, &'static str> {
    let time = time(sent.ok_or("is missing")?)?;
    if time > now + SKEW { Err("must not be in the future") } else { Ok(time) }
}

/// Reads an instant of the years that the API has: 1 to 9999.
fn time(sent: prost_types::Timestamp) -> Result<DateTime<Utc>, &'static str> {
    let nanos = u32::try_from(sent.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    nanos
        .filter(|_| (-62_135_596_800..=253_402_300_799).contains(&sent.seconds))
        .and_then(|nanos| DateTime::from_timestamp(sent.seconds, nanos))
        .map(|time| time.trunc_subsecs(6))
        .ok_or("must be an instant between the years 1 and 9999")
}

fn event_type(text: &str) -> Result<String, &'static str> {
    let word = |word: &str| {
        word.starts_with(|char: char| char.is_ascii_lowercase())
            && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    if text.len() <= 100 && text.contains('.') && text.split('.').all(word) {
        Ok(text.to_owned())
    } else {
        Err("must be words in lower case, joined by dots, such as task.assigned")
    }
}

fn trace_id(text: &str) -> Result<String, &'static str> {
    if is_trace_id(text) {
        Ok(text.to_owned())
    } else {
        Err("must be 32 hexadecimal digits in lower case, not all zero")
    }
}

fn ip_address(text: &str) -> Result<String, &'static str> {
    text.parse::<IpAddr>().map(|address| address.to_string()).map_err(|_| "must be an IP address")
}

fn required_result(number: i32) -> Result<Outcome, &'static str> {
    result(number)?.ok_or("must say how it ended")
}

fn result(number: i32) -> Result<Option<Outcome>, &'static str> {
    match proto::Result::try_from(number) {
        Ok(proto::Result::Unspecified) => Ok(None),
        Ok(proto::Result::Success) => Ok(Some(Outcome::Success)),
        Ok(proto::Result::Failure) => Ok(Some(Outcome::Failure)),
        Err(_) => Err("must be success or failure"),
    }
}

fn short(text: &str, most: usize) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    if text.chars().count() > most {
        return Err(format!("must have at most {most} characters"));
    }
    Ok(text.to_owned())
}

/// Reads a field that may be empty.
fn optional<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}
