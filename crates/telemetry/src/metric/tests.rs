//! What a scrape shows.

use super::*;
use crate::{Error, Options, install, install_for_tests};

/// A recorder of the test's own, so that other tests do not count into it.
fn rendered(work: impl FnOnce()) -> MetricsHandle {
    let recorder = Recorder::build().expect("valid buckets");
    metrics::with_local_recorder(&recorder.tallying, work);
    recorder.handle
}

#[test]
fn a_call_is_counted_timed_and_told_as_an_error_unless_it_is_ok() {
    let text = rendered(|| {
        request("task", "GetTask", "OK", Duration::from_millis(3));
        request("task", "GetTask", "NOT_FOUND", Duration::from_secs(2));
    })
    .render();
    for line in [
        r#"taskman_requests_total{service="task",method="GetTask",status="OK"} 1"#,
        r#"taskman_requests_total{service="task",method="GetTask",status="NOT_FOUND"} 1"#,
        r#"taskman_errors_total{service="task",method="GetTask",error_type="NOT_FOUND"} 1"#,
        r#"taskman_request_duration_seconds_bucket{service="task",method="GetTask",le="0.001"} 0"#,
        r#"taskman_request_duration_seconds_bucket{service="task",method="GetTask",le="0.005"} 1"#,
        r#"taskman_request_duration_seconds_bucket{service="task",method="GetTask",le="10"} 2"#,
        r#"taskman_request_duration_seconds_count{service="task",method="GetTask"} 2"#,
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"error_type="OK""#));
}

#[test]
fn a_request_of_the_gateway_has_the_plain_names() {
    let text = rendered(|| http_request("GET", "/api/v1/tasks/{task_id}", 200, Duration::from_millis(7))).render();
    assert!(text.contains(r#"http_requests_total{method="GET",endpoint="/api/v1/tasks/{task_id}",status="200"} 1"#));
    assert!(text.contains(r#"http_request_duration_seconds_count{method="GET",endpoint="/api/v1/tasks/{task_id}"} 1"#));
}

#[test]
fn an_admin_port_shows_its_own_service_and_what_belongs_to_none() {
    let metrics = rendered(|| {
        request("task", "GetTask", "OK", Duration::ZERO);
        request("user", "GetUser", "OK", Duration::ZERO);
        http_request("GET", "/", 200, Duration::ZERO);
    });
    let text = metrics.render_for("task");
    assert!(text.contains(r#"service="task""#));
    assert!(!text.contains(r#"service="user""#));
    assert!(metrics.render().contains(r#"service="user""#));
}

#[test]
fn only_the_port_of_the_gateway_shows_http() {
    let metrics = rendered(|| http_request("GET", "/", 200, Duration::ZERO));
    for name in ["http_requests_total{", "http_request_duration_seconds_count{"] {
        assert!(metrics.render_for("gateway").contains(name), "{name}");
        assert!(!metrics.render_for("task").contains(name), "{name}");
    }
}

#[test]
fn what_the_process_uses_shows_on_every_port_as_its_services_own() {
    let metrics = install_for_tests().metrics().expect("metrics are installed");
    for service in ["task", "user"] {
        let text = metrics.render_for(service);
        for name in [CPU, MEMORY] {
            assert!(text.contains(&format!(r#"{name}{{service="{service}"}} "#)), "{name} is not in\n{text}");
        }
        assert!(!text.contains(r#"service="test""#));
    }
}

#[test]
fn the_error_rate_shows_with_the_first_scrape() {
    let telemetry = install_for_tests();
    request("audit", "Search", "OK", Duration::ZERO);
    request("audit", "Search", "INTERNAL", Duration::ZERO);
    let text = telemetry.render_metrics();
    assert!(text.contains(r#"taskman_error_rate{service="audit"} 0.5"#), "{text}");
}

#[test]
fn counting_is_safe_when_nothing_is_installed() {
    metrics::with_local_recorder(&metrics::NoopRecorder, || request("task", "GetTask", "OK", Duration::ZERO));
}

#[test]
fn the_process_tells_what_it_uses_from_the_first_scrape_on() {
    let text = install_for_tests().render_metrics();
    let memory = text.lines().find_map(|line| line.strip_prefix(r#"taskman_memory_usage_bytes{service="test"} "#));
    let memory: f64 = memory.expect("a gauge").parse().expect("a number");
    assert!(memory > 1_000_000.0, "{memory}");
    assert!(text.contains(r#"taskman_cpu_usage_percent{service="test"}"#));
    assert!(text.contains("process_cpu_seconds_total"));
}

#[test]
fn a_second_installation_is_refused() {
    install_for_tests();
    assert!(matches!(install(Options::default()), Err(Error::AlreadyInstalled)));
}

#[test]
fn wrong_options_are_told_and_install_nothing() {
    let wrong = Options { log_level: "task=loud".to_owned(), ..Options::default() };
    assert!(matches!(install(wrong), Err(Error::LogLevel(_))));
    let outside = Options { otlp_endpoint: Some("http://127.0.0.1:4317".to_owned()), ..Options::default() };
    assert!(matches!(install(outside), Err(Error::NoRuntime)));
}
