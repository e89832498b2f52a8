//! Tells the events of a use case who caused them.

use taskman_events::{Actor, Origin};
use taskman_identity::Caller;
use taskman_telemetry::propagation;

/// Returns the origin of whatever `caller` brings about in the present span.
pub fn origin(caller: &Caller) -> Origin {
    Origin {
        company: caller.company,
        actor: Actor::User(caller.user),
        session: Some(caller.session),
        client_address: caller.client.address,
        user_agent: caller.client.user_agent.clone(),
        request_id: Some(caller.client.request_id),
        causation: None,
        traceparent: propagation::current_traceparent(),
        tracestate: propagation::current_tracestate(),
    }
}
