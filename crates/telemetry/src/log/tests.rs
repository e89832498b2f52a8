//! What stands in a log line, where it comes from, and what never does.

use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::testing::Kept;
use crate::{service_span, trace};

/// Runs `work` under a subscriber of its own and returns the lines it has written.
fn logged(style: Style, work: impl FnOnce()) -> Vec<String> {
    let lines = Kept::<String>::default();
    let provider = SdkTracerProvider::builder().build();
    let subscriber =
        tracing_subscriber::registry().with(LogLayer::new(style, lines.clone())).with(trace::layer(&provider));
    tracing::subscriber::with_default(subscriber, work);
    lines.all()
}

fn one_json(work: impl FnOnce()) -> (String, Value) {
    let line = logged(Style::Json, work).pop().expect("one line");
    let value = serde_json::from_str(&line).expect("a line is one JSON object");
    (line, value)
}

/// The names of the fields in the order in which they stand in the line.
fn names(line: &str, value: &Value) -> Vec<String> {
    let mut names: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
    names.sort_by_key(|name| line.find(&format!("\"{name}\":")));
    names
}

#[test]
fn a_line_has_the_fields_of_the_format_in_their_order() {
    let (line, value) = one_json(|| {
        let _service = service_span("task").entered();
        let request = tracing::info_span!(
            "request",
            request_id = "req-789",
            user.id = "user-123",
            company_id = tracing::field::Empty,
            unrelated = "stays in the span",
        );
        request.record("company_id", "company-456");
        let _request = request.entered();
        tracing::info!(task.id = "task-789", duration_ms = 45_u64, "task created");
    });
    let expected = [
        "timestamp",
        "level",
        "service",
        "trace_id",
        "span_id",
        "request_id",
        "user_id",
        "company_id",
        "message",
        "task.id",
        "duration_ms",
        "target",
    ];
    assert_eq!(names(&line, &value), expected);
    assert_eq!(value["level"], "info");
    assert_eq!(value["service"], "task");
    assert_eq!(value["request_id"], "req-789");
    assert_eq!(value["user_id"], "user-123");
    assert_eq!(value["company_id"], "company-456");
    assert_eq!(value["message"], "task created");
    assert_eq!(value["duration_ms"], 45);
    assert_eq!(value["trace_id"].as_str().map(str::len), Some(32));
    assert_eq!(value["span_id"].as_str().map(str::len), Some(16));
    let time = value["timestamp"].as_str().expect("a time");
    assert!(time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
}

#[test]
fn services_of_one_process_do_not_mix() {
    let lines = logged(Style::Json, || {
        let (task, user) = (service_span("task"), service_span("user"));
        task.in_scope(|| tracing::info!("one"));
        user.in_scope(|| tracing::info!("two"));
        tracing::info!("nobody's");
    });
    let service = |index: usize| serde_json::from_str::<Value>(&lines[index]).expect("JSON")["service"].clone();
    assert_eq!((service(0), service(1), service(2)), ("task".into(), "user".into(), Value::Null));
}

#[test]
fn the_nearest_span_wins_and_the_event_wins_over_all() {
    let (_, value) = one_json(|| {
        let _outer = tracing::info_span!("outer", attempt = 1, company_id = "a").entered();
        let _inner = tracing::info_span!("inner", attempt = 2).entered();
        tracing::info!(company.id = "b", "x");
    });
    assert_eq!((&value["attempt"], &value["company_id"]), (&2.into(), &"b".into()));
}

#[test]
fn secrets_addresses_and_bodies_never_stand_in_a_line() {
    let secrets = ["hunter2", "198.51.100.7", "ada@example.com", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "pa55", "raw-body"];
    let (line, value) = one_json(|| {
        let _span = tracing::info_span!("request", user_id = "ada@example.com").entered();
        let error = std::io::Error::other("amqp://task:pa55@127.0.0.1/ refused");
        tracing::error!(
            password = "hunter2",
            client.address = %"198.51.100.7",
            access_token = ?Some("eyJhbGciOiJFUzI1NiJ9.e30.c2ln"),
            http.request.body = "raw-body",
            error = &error as &dyn std::error::Error,
            "mail to ada@example.com with Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln failed",
        );
    });
    for secret in secrets {
        assert!(!line.contains(secret), "{secret} stands in {line}");
    }
    assert_eq!(value["password"], "[redacted]");
    assert_eq!(value["error"], "amqp://[redacted]@127.0.0.1/ refused");
    assert_eq!(value["message"], "mail to [redacted] with Bearer [redacted] failed");
}

#[test]
fn a_field_cannot_pass_for_one_of_the_lines_own() {
    let (line, value) = one_json(|| tracing::warn!(level = "debug", trace_id = "forged", timestamp = 7, "x"));
    assert_eq!(value["level"], "warn");
    assert_eq!(value["field.level"], "debug");
    assert_eq!(value["field.timestamp"], 7);
    assert_eq!(value.get("trace_id"), None);
    assert_eq!(line.matches("\"level\"").count(), 1);
}

#[test]
fn errors_tell_their_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("the mail could not be sent")]
    struct Unsent(#[source] std::io::Error);
    let (_, value) = one_json(|| {
        let error = Unsent(std::io::Error::other("connection reset"));
        tracing::error!(error = &error as &dyn std::error::Error, "x");
    });
    assert_eq!(value["error"], "the mail could not be sent: connection reset");
}

#[test]
fn text_for_people_is_one_line_per_event() {
    let lines = logged(Style::Text, || {
        service_span("task").in_scope(|| tracing::warn!(attempt = 3, cause = "two\nlines", "gave up"));
    });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("WARN  task           gave up attempt=3 cause=two lines"), "{}", lines[0]);
}
