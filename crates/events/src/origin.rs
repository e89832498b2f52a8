//! Who and what caused an event.

use std::net::IpAddr;

use taskman_ids::{CompanyId, EventId, RequestId, SessionId, UserId};
use uuid::Uuid;

use crate::Envelope;

/// The company of what belongs to none, such as a login with an address that nobody has. No record ever has this id.
pub const NO_COMPANY: CompanyId = CompanyId::from_uuid(Uuid::nil());

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A user.
    User(UserId),
    /// A service of the fleet, by name.
    Service(&'static str),
    /// The system itself, for instance a timer.
    System,
    /// Nobody who is known.
    Anonymous,
}

/// Who and what caused an event: everything in the envelope that the event itself does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The company it belongs to.
    pub company: CompanyId,
    /// Who acted.
    pub actor: Actor,
    /// The session that it happened in.
    pub session: Option<SessionId>,
    /// The address that it came from.
    pub client_address: Option<IpAddr>,
    /// The program that it came from.
    pub user_agent: Option<String>,
    /// The request that it happened in.
    pub request_id: Option<RequestId>,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// The W3C trace it is part of; the outbox prefers that of the current span, if there is one.
    pub traceparent: Option<String>,
    /// What vendors added to the trace.
    pub tracestate: Option<String>,
}

impl Origin {
    /// Starts from an actor of a company and nothing else.
    pub const fn new(company: CompanyId, actor: Actor) -> Self {
        Self {
            company,
            actor,
            session: None,
            client_address: None,
            user_agent: None,
            request_id: None,
            causation: None,
            traceparent: None,
            tracestate: None,
        }
    }

    /// Says that the system did it by itself.
    pub const fn system(company: CompanyId) -> Self {
        Self::new(company, Actor::System)
    }

    /// Says that `service` did it because of `cause`: same company, same request, same trace.
    pub fn following(cause: &Envelope, service: &'static str) -> Self {
        Self {
            request_id: cause.correlation_id,
            causation: Some(cause.id),
            traceparent: cause.traceparent.clone(),
            tracestate: cause.tracestate.clone(),
            ..Self::new(cause.company_id, Actor::Service(service))
        }
    }
}
