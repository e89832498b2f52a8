//! A record of the audit trail, and how an event becomes one.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Map, Value};
use taskman_events::Envelope;
use taskman_ids::{CompanyId, EventId, RequestId, SessionId, UserId};
use uuid::Uuid;

use super::outcome::{self, Outcome};
use super::personal::{self, Client, Personal, Schemas};

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A user.
    User(UserId),
    /// A service of the fleet.
    Service(String),
    /// The system itself, for instance a timer.
    System,
    /// Nobody who is known.
    Anonymous,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// The sort of thing, singular: `task`.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// What a record says without saying anything about persons but their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The id of the event.
    pub id: EventId,
    /// The company it belongs to.
    pub company: CompanyId,
    /// When it happened, in microseconds.
    pub occurred_at: DateTime<Utc>,
    /// When it was written down.
    pub recorded_at: DateTime<Utc>,
    /// The name of the event: `task.assigned`.
    pub event_type: String,
    /// Who acted.
    pub actor: Actor,
    /// What it was done to.
    pub target: Target,
    /// What was done: `assigned`.
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The service that it happened in.
    pub source: String,
    /// The request that it happened in.
    pub request_id: Option<RequestId>,
    /// The trace that it happened in, 32 hexadecimal digits.
    pub trace_id: Option<String>,
    /// The session that it happened in.
    pub session: Option<SessionId>,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// Its number among the events of its publisher.
    pub producer_seq: Option<i64>,
    /// The schema of its data.
    pub data_schema: Option<String>,
    /// What else is known of it.
    pub metadata: Map<String, Value>,
}

/// A record with everything that it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What is not about persons.
    pub fact: Fact,
    /// What is.
    pub personal: Personal,
}

/// Whom something is about: a user, or the company where no user is known. It decides which key seals it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Uuid);

impl Subject {
    /// Names the subject with this id.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// Returns the id.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<UserId> for Subject {
    fn from(user: UserId) -> Self {
        Self(user.as_uuid())
    }
}

impl Event {
    /// Makes the record of an event that came over the broker at `now`.
    pub fn of_envelope(envelope: &Envelope, schemas: &Schemas, now: DateTime<Utc>) -> Self {
        let event_type = text(envelope.routing_key(), 200);
        let (kind, id) = envelope.target();
        let (metadata, about) = schemas.split(&event_type, personal::bounded(envelope.data.clone()));
        let mut event = Self {
            fact: Fact {
                id: envelope.id,
                company: envelope.company_id,
                occurred_at: envelope.time.trunc_subsecs(6),
                recorded_at: now,
                actor: actor(envelope),
                target: Target { kind: singular(&text(kind, 100)), id: text(id, 200) },
                action: outcome::action(&event_type).to_owned(),
                outcome: outcome::outcome(&event_type),
                source: text(envelope.service(), 100),
                request_id: envelope.correlation_id,
                trace_id: envelope.traceparent.as_deref().and_then(trace_id),
                session: envelope.session_id,
                causation: envelope.causation_id,
                producer_seq: envelope.producer_seq,
                data_schema: Some(text(&envelope.dataschema, 200)),
                metadata,
                event_type,
            },
            personal: Personal {
                client: Client {
                    ip_address: envelope.client_address.clone(),
                    user_agent: envelope.user_agent.as_deref().map(|agent| text(agent, 512)),
                    email: None,
                },
                data: about,
            },
        };
        event.personal.client.email = event.own_email();
        event
    }

    /// Returns whom the personal fields of the data are about: the user that it was done to, else the one that the data
    /// names, else the actor, else nobody but the company.
    pub fn data_subject(&self) -> Subject {
        let named = || self.data("user_id").and_then(Value::as_str).and_then(|id| UserId::parse(id).ok());
        self.target_user().or_else(named).or(self.acting_user()).map_or(self.nobody(), Subject::from)
    }

    /// Returns whom the client is about: the actor; where no user acted, whom the data is about.
    pub fn client_subject(&self) -> Subject {
        self.acting_user().map_or_else(|| self.data_subject(), Subject::from)
    }

    /// Returns the user that it was done to.
    pub fn target_user(&self) -> Option<UserId> {
        let Target { kind, id } = &self.fact.target;
        UserId::parse(id).ok().filter(|id| kind == "user" && !id.as_uuid().is_nil())
    }

    fn acting_user(&self) -> Option<UserId> {
        match self.fact.actor {
            Actor::User(user) => Some(user),
            _ => None,
        }
    }

    fn nobody(&self) -> Subject {
        Subject(self.fact.company.as_uuid())
    }

    fn data(&self, name: &str) -> Option<&Value> {
        self.fact.metadata.get(name).or_else(|| self.personal.data.get(name))
    }

    /// Returns the actor's address, where the event says it of them themselves.
    fn own_email(&self) -> Option<String> {
        let about_themselves = self.acting_user().is_some() && self.acting_user() == self.target_user();
        let email = self.personal.data.get("user")?.get("email")?.as_str()?;
        about_themselves.then(|| email.to_owned())
    }
}

/// Names one thing of a sort whose plural is given, or which is singular already.
pub fn singular(kind: &str) -> String {
    match (kind.strip_suffix("ies"), kind.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => kind.to_owned(),
    }
}

/// Returns the trace of a W3C `traceparent`.
fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    is_trace_id(id).then(|| id.to_owned())
}

/// Says whether the text names a trace.
pub fn is_trace_id(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|byte| byte != b'0')
}

fn actor(envelope: &Envelope) -> Actor {
    match (envelope.auth_type.as_str(), envelope.auth_id) {
        ("user", Some(user)) => Actor::User(user),
        ("service", _) => Actor::Service(text(envelope.auth_service.as_deref().unwrap_or(envelope.service()), 100)),
        ("system", _) => Actor::System,
        _ => Actor::Anonymous,
    }
}

/// Cuts a text, and takes the character out of it that PostgreSQL has no place for.
fn text(text: &str, most_chars: usize) -> String {
    text.chars().filter(|char| *char != '\0').take(most_chars).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use taskman_events::auth::{LoginFailed, LoginFailure};
    use taskman_events::task::TaskStatus;
    use taskman_events::{Actor as Cause, NO_COMPANY, Origin, task};
    use taskman_ids::{ProjectId, TaskId};

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn record<E: taskman_events::Event>(origin: &Origin, event: &E) -> Event {
        let envelope = Envelope::new(EventId::new(), origin, event, NOW).unwrap();
        Event::of_envelope(&envelope, &Schemas::of_the_catalogue(), NOW)
    }

    fn started(by: UserId) -> task::TaskStarted {
        task::TaskStarted {
            task: task::Task {
                id: TaskId::new(),
                project_id: ProjectId::new(),
                key: "CORE-1".into(),
                title: "Write it down".into(),
                status: TaskStatus::InProgress,
                priority: task::Priority::Low,
                creator_id: by,
                assignee_id: None,
                due_date: None,
                version: 2,
            },
            from: TaskStatus::Todo,
            to: TaskStatus::InProgress,
            by,
            changed_fields: vec!["status".into()],
        }
    }

    #[test]
    fn a_record_says_what_the_envelope_says() {
        let (user, event) = (UserId::new(), started(UserId::new()));
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let origin = Origin {
            client_address: Some([203, 0, 113, 7].into()),
            request_id: Some(RequestId::new()),
            traceparent: Some(format!("00-{trace}-00f067aa0ba902b7-01")),
            ..Origin::new(CompanyId::new(), Cause::User(user))
        };
        let Event { fact, personal } = record(&origin, &event);
        assert_eq!((fact.event_type.as_str(), fact.action.as_str()), ("task.started", "started"));
        assert_eq!(fact.target, Target { kind: "task".into(), id: event.task.id.to_string() });
        assert_eq!((fact.actor, fact.outcome), (Actor::User(user), Outcome::Success));
        assert_eq!((fact.source.as_str(), fact.trace_id.as_deref()), ("task", Some(trace)));
        assert_eq!((fact.company, fact.request_id), (origin.company, origin.request_id));
        assert_eq!(fact.metadata["task"]["title"], "Write it down");
        assert_eq!(personal.client.ip_address.as_deref(), Some("203.0.113.7"));
        assert!(personal.data.is_empty());
    }

    #[test]
    fn what_is_about_a_user_has_that_user_as_its_subject() {
        let (company, actor, other) = (CompanyId::new(), UserId::new(), UserId::new());
        let failed = |user_id| LoginFailed {
            email_hash: "hash".into(),
            user_id,
            ip: Some([203, 0, 113, 7].into()),
            reason: LoginFailure::WrongPassword,
        };
        let by_user = record(&Origin::new(company, Cause::User(actor)), &failed(Some(other)));
        assert_eq!(by_user.client_subject(), actor.into());
        assert_eq!(by_user.data_subject(), other.into());
        let anonymous = record(&Origin::new(company, Cause::Anonymous), &failed(Some(other)));
        assert_eq!(anonymous.client_subject(), other.into());
        let unknown = record(&Origin::new(NO_COMPANY, Cause::Anonymous), &failed(None));
        assert_eq!(unknown.data_subject(), Subject::from_uuid(NO_COMPANY.as_uuid()));
        let own = record(&Origin::new(company, Cause::User(actor)), &started(actor));
        assert_eq!(own.data_subject(), actor.into());
    }

    #[test]
    fn plurals_become_singular() {
        for (plural, one) in [("tasks", "task"), ("companies", "company"), ("user", "user"), ("", "")] {
            assert_eq!(singular(plural), one);
        }
    }

    #[test]
    fn only_a_whole_trace_id_is_one() {
        assert_eq!(trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap().len(), 32);
        for bad in ["", "00", "00-short-00f067aa0ba902b7-01", &format!("00-{}-x-01", "0".repeat(32))] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
