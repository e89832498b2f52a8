//! The spans of messages: a publish continues the trace of the request, a delivery that of the publish.

use taskman_events::Envelope;
use taskman_telemetry::propagation;
use tracing::Span;

/// Opens the span in which an event is published.
pub(crate) fn publish(
    service: &str,
    (exchange, routing_key): (&str, &str),
    parent: Option<&str>,
    state: Option<&str>,
) -> Span {
    let span = tracing::info_span!(
        "publish",
        service,
        otel.name = format!("publish {routing_key}"),
        otel.kind = "producer",
        messaging.system = "rabbitmq",
        messaging.destination.name = exchange,
    );
    if parent.is_some() {
        propagation::set_parent(&span, parent, state);
    }
    span
}

/// Opens the span in which an event is applied.
pub(crate) fn consume(service: &str, queue: &str, envelope: &Envelope, parent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        "consume",
        service,
        otel.name = format!("consume {}", envelope.routing_key()),
        otel.kind = "consumer",
        messaging.system = "rabbitmq",
        messaging.destination.name = queue,
        event.id = %envelope.id,
        company_id = %envelope.company_id,
        request_id = envelope.correlation_id.map(tracing::field::display),
    );
    let parent = parent.or(envelope.traceparent.as_deref());
    if parent.is_some() {
        propagation::set_parent(&span, parent, envelope.tracestate.as_deref());
    }
    span
}

/// Returns the W3C name of `span`, for the headers of a message.
pub(crate) fn name(span: &Span) -> (Option<String>, Option<String>) {
    span.in_scope(|| (propagation::current_traceparent(), propagation::current_tracestate()))
}
