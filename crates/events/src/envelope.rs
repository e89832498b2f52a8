//! The envelope: CloudEvents 1.0, structured JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskman_errors::{Failure, Kind};
use taskman_ids::{CompanyId, EventId, RequestId, SessionId, UserId};

use crate::{Actor, Event, Exchange, Origin};

/// The content type of an envelope.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// How large an envelope may be.
pub const MAX_BYTES: usize = 256 * 1024;

const SPECVERSION: &str = "1.0";
const TYPE_PREFIX: &str = "dev.taskman.";
const TYPE_SUFFIX: &str = ".v1";

/// An event with all that is known around it.
///
/// On the wire the names are those of CloudEvents: the core attributes, and extensions in lower case without
/// separators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of CloudEvents, always `1.0`.
    pub specversion: String,
    /// Names the event; a redelivery has the same one.
    pub id: EventId,
    /// The service that published it: `/taskman/task`.
    pub source: String,
    /// `dev.taskman.<routing key>.v1`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The record that it is about: `tasks/<id>`.
    pub subject: String,
    /// When it happened, set once.
    pub time: DateTime<Utc>,
    /// The content type of `data`.
    pub datacontenttype: String,
    /// The schema of `data`, with its minor version.
    pub dataschema: String,
    /// The company it belongs to.
    #[serde(rename = "companyid")]
    pub company_id: CompanyId,
    /// The id of the record that it is about.
    #[serde(rename = "partitionkey")]
    pub partition_key: String,
    /// The version of that record, padded to 20 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// The trace that it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What vendors added to the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// The request that it happened in.
    #[serde(default, rename = "correlationid", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<RequestId>,
    /// The event that led to it.
    #[serde(default, rename = "causationid", skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// Who acted: `user`, `service`, `system` or `anonymous`.
    #[serde(rename = "authtype")]
    pub auth_type: String,
    /// The user who acted.
    #[serde(default, rename = "authid", skip_serializing_if = "Option::is_none")]
    pub auth_id: Option<UserId>,
    /// The service that acted.
    #[serde(default, rename = "authservice", skip_serializing_if = "Option::is_none")]
    pub auth_service: Option<String>,
    /// The address that it came from. About a person.
    #[serde(default, rename = "clientaddress", skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// The program that it came from. About a person.
    #[serde(default, rename = "useragent", skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The session that it happened in.
    #[serde(default, rename = "sessionid", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// `personal` where any field of `data` is about a person, else `internal`.
    #[serde(rename = "dataclassification")]
    pub data_classification: String,
    /// The number of the event among those of its publisher, without gaps. It is given when the event is published, so
    /// it travels beside the envelope, and consumers find it here.
    #[serde(default, rename = "producerseq", skip_serializing_if = "Option::is_none")]
    pub producer_seq: Option<i64>,
    /// The event itself; [`Envelope::data`] reads it.
    pub data: Value,
}

/// Says why something is not an event.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is larger than [`MAX_BYTES`].
    #[error("{0} bytes are more than an event may have")]
    TooLarge(usize),
    /// It is not the JSON of an envelope.
    #[error("is not an envelope")]
    Envelope(#[source] serde_json::Error),
    /// It is of a version that this reader does not know.
    #[error("has an unknown version")]
    Version,
    /// It is another event than the reader asked for.
    #[error("is not a {expected} event")]
    Type {
        /// The routing key that was asked for.
        expected: &'static str,
    },
    /// The event inside is not what its type promises.
    #[error("has a payload that does not fit {key}")]
    Data {
        /// The routing key.
        key: &'static str,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
}

impl Failure for Malformed {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn reason(&self) -> &'static str {
        "EVENT_MALFORMED"
    }
}

impl Envelope {
    /// Puts `event` in an envelope.
    pub fn new<E: Event>(
        id: EventId,
        origin: &Origin,
        event: &E,
        time: DateTime<Utc>,
    ) -> Result<Self, serde_json::Error> {
        let aggregate = event.aggregate();
        let (auth_type, auth_id, auth_service) = match origin.actor {
            Actor::User(user) => ("user", Some(user), None),
            Actor::Service(name) => ("service", None, Some(name.to_owned())),
            Actor::System => ("system", None, None),
            Actor::Anonymous => ("anonymous", None, None),
        };
        Ok(Self {
            specversion: SPECVERSION.to_owned(),
            id,
            source: source(E::EXCHANGE),
            event_type: format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", E::KEY),
            subject: format!("{}/{}", aggregate.kind, aggregate.id),
            time,
            datacontenttype: "application/json".to_owned(),
            dataschema: dataschema(E::KEY),
            company_id: origin.company,
            partition_key: aggregate.id.to_string(),
            sequence: aggregate.version.map(|version| format!("{version:020}")),
            traceparent: origin.traceparent.clone(),
            tracestate: origin.tracestate.clone(),
            correlation_id: origin.request_id,
            causation_id: origin.causation,
            auth_type: auth_type.to_owned(),
            auth_id,
            auth_service,
            client_address: origin.client_address.map(|address| address.to_string()),
            user_agent: origin.user_agent.clone(),
            session_id: origin.session,
            data_classification: if E::PERSONAL { "personal" } else { "internal" }.to_owned(),
            producer_seq: None,
            data: serde_json::to_value(event)?,
        })
    }

    /// Reads an envelope, of any event of a known version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed::TooLarge(bytes.len()));
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(Malformed::Envelope)?;
        if envelope.specversion != SPECVERSION || envelope.key().is_none() {
            return Err(Malformed::Version);
        }
        Ok(envelope)
    }

    /// Returns the routing key: `task.assigned`.
    pub fn routing_key(&self) -> &str {
        self.key().unwrap_or(&self.event_type)
    }

    /// Reads the event inside.
    pub fn data<E: Event>(&self) -> Result<E, Malformed> {
        if self.key() != Some(E::KEY) {
            return Err(Malformed::Type { expected: E::KEY });
        }
        E::deserialize(&self.data).map_err(|source| Malformed::Data { key: E::KEY, source })
    }

    /// Returns the name of the service that published it.
    pub fn service(&self) -> &str {
        self.source.rsplit('/').next().unwrap_or(&self.source)
    }

    /// Returns the version of the record that it is about.
    pub fn version(&self) -> Option<i64> {
        self.sequence.as_deref()?.parse().ok()
    }

    /// Returns the sort and the id of the record that it is about, as they stand in the subject.
    pub fn target(&self) -> (&str, &str) {
        self.subject.split_once('/').unwrap_or((&self.subject, ""))
    }

    fn key(&self) -> Option<&str> {
        self.event_type.strip_prefix(TYPE_PREFIX)?.strip_suffix(TYPE_SUFFIX)
    }
}

fn source(exchange: Exchange) -> String {
    format!("/taskman/{}", exchange.service())
}

pub(crate) fn dataschema(key: &str) -> String {
    format!("urn:taskman:event:{key}:1.0")
}
