//! A trace goes on across headers and stored contexts, and nothing happens without telemetry.

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::{install_for_tests, service_span, trace};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn traced(work: impl FnOnce()) {
    let provider = SdkTracerProvider::builder().build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(trace::layer(&provider)), work);
}

#[test]
fn what_is_injected_is_extracted_as_the_same_trace() {
    traced(|| {
        let mut headers = HeaderMap::new();
        let sent = tracing::info_span!("client").in_scope(|| {
            inject(&mut headers);
            trace_id().expect("a span has a trace")
        });
        let server = tracing::info_span!("server");
        set_parent_from(&server, &headers);
        assert_eq!(server.in_scope(trace_id), Some(sent));
    });
}

#[test]
fn a_stored_context_is_gone_on_with_and_can_be_stored_again() {
    traced(|| {
        let publish = tracing::info_span!("publish");
        set_parent(&publish, Some(PARENT), Some("vendor=7"));
        publish.in_scope(|| {
            assert_eq!(trace_id().as_deref(), Some(TRACE));
            assert_eq!(current_tracestate().as_deref(), Some("vendor=7"));
            let own = current_traceparent().expect("a context");
            assert!(own.starts_with(&PARENT[..36]) && own != PARENT, "the same trace, a span of its own: {own}");
        });
    });
}

#[test]
fn malformed_contexts_begin_a_trace_of_their_own() {
    traced(|| {
        for malformed in ["", "00-xyz", "00-00000000000000000000000000000000-0000000000000000-01"] {
            let span = tracing::info_span!("consume");
            set_parent(&span, Some(malformed), None);
            let own = span.in_scope(trace_id).expect("a trace");
            assert_ne!(own, TRACE);
        }
        assert!(!extract(&HeaderMap::new()).span().span_context().is_valid());
    });
}

#[test]
fn requests_of_a_service_do_not_share_a_trace() {
    traced(|| {
        let _service = service_span("task").entered();
        let trace_of = || tracing::info_span!("request").in_scope(trace_id).expect("a trace");
        assert_ne!(trace_of(), trace_of());
        assert_eq!(trace_id(), None, "the root span of a service is no trace");
    });
}

#[test]
fn without_telemetry_nothing_is_injected_or_known() {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
        let span = tracing::info_span!("request");
        set_parent(&span, Some(PARENT), None);
        let _entered = span.entered();
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
        assert_eq!((trace_id(), current_traceparent(), current_tracestate()), (None, None, None));
    });
}

#[test]
fn finished_spans_reach_the_test_with_their_parents_and_without_secrets() {
    let telemetry = install_for_tests();
    let id = tracing::info_span!("outer").in_scope(|| {
        tracing::info_span!("inner", refresh_token = "hunter2", query = "to ada@example.com").in_scope(|| ());
        trace_id().expect("a trace")
    });
    let spans = install_for_tests().spans_of(&id);
    assert_eq!(spans.iter().map(|span| span.name.as_ref()).collect::<Vec<_>>(), ["inner", "outer"]);
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
    let shown = format!("{:?}", spans[0].attributes);
    assert!(!shown.contains("hunter2") && !shown.contains("ada@"), "{shown}");
    assert!(telemetry.spans().len() >= 2);
}
