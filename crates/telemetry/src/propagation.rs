//! The W3C trace context: into and out of headers, rows and messages.
//!
//! Everything is a no-op when no telemetry is installed: nothing is injected, and there is no current context.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Writes the context of the current span into headers; gRPC metadata is a header map as well.
pub fn inject(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut Headers(headers));
}

/// Reads the context that headers carry; an empty context when they carry none.
pub fn extract(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &ReadHeaders(headers))
}

/// Makes the context that headers carry the parent of `span`, which must not have been entered yet.
///
/// Without a context in the headers the span begins a trace, or goes on with that of the span around it.
pub fn set_parent_from(span: &Span, headers: &HeaderMap) {
    adopt(span, extract(headers));
}

/// Makes a stored context the parent of `span`, which must not have been entered yet.
///
/// It comes from an outbox row or a message; a malformed one is ignored.
pub fn set_parent(span: &Span, traceparent: Option<&str>, tracestate: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let mut carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    carrier.extend(tracestate.map(|tracestate| (TRACESTATE.to_owned(), tracestate.to_owned())));
    adopt(span, TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier));
}

/// Returns the `traceparent` of the current span, to be stored.
pub fn current_traceparent() -> Option<String> {
    current(TRACEPARENT)
}

/// Returns the `tracestate` of the current span, to be stored, when it has one.
pub fn current_tracestate() -> Option<String> {
    current(TRACESTATE).filter(|state| !state.is_empty())
}

/// Returns the id of the current trace, 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let ids = span.span_context();
    ids.is_valid().then(|| ids.trace_id().to_string())
}

fn current(key: &str) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(key)
}

fn adopt(span: &Span, parent: Context) {
    if parent.span().span_context().is_valid() {
        // It fails where nothing is installed or the span is not enabled: then there is no trace to go on with.
        let _ = span.set_parent(parent);
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return; // An empty tracestate says nothing.
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct ReadHeaders<'a>(&'a HeaderMap);

impl Extractor for ReadHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
