//! What errors look like to clients.

use serde_json::json;
use tonic_types::FieldViolation;

use super::*;

fn status(code: Code, reason: &str, message: &str) -> Status {
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, DOMAIN, [("k".to_owned(), "v".to_owned())]),
    )
}

fn body(rendered: &Rendered) -> Json {
    serde_json::from_slice(&rendered.body).unwrap()
}

fn header<'r>(rendered: &'r Rendered, name: &str) -> Option<&'r str> {
    rendered.headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn every_code_has_its_http_status() {
    let wanted = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    for (number, wanted) in wanted.into_iter().enumerate() {
        let code = Code::from(i32::try_from(number).unwrap());
        assert_eq!(http_status(code, "", false).as_u16(), wanted, "{code:?}");
    }
    assert_eq!(http_status(Code::Aborted, "ETAG_MISMATCH", true).as_u16(), 412);
    assert_eq!(http_status(Code::Aborted, "REQUEST_IN_FLIGHT", true).as_u16(), 409);
}

#[test]
fn a_problem_has_all_that_a_client_needs() {
    let mut details = ErrorDetails::with_error_info("FIELD_INVALID", DOMAIN, [("limit".to_owned(), "5".to_owned())]);
    details.set_bad_request(vec![FieldViolation::new("title", "is missing"), FieldViolation::new("due", "is past")]);
    let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
    let rendered = render(&status, &Context { request_id: "r1", trace_id: Some("t1"), ..Context::default() });
    assert_eq!(rendered.status.as_u16(), 400);
    assert_eq!(header(&rendered, "content-type"), Some("application/problem+json"));
    let wanted = json!({
        "type": "https://taskman.dev/reasons/FIELD_INVALID", "title": "Bad Request", "status": 400,
        "detail": "2 fields are wrong", "instance": "r1", "code": "INVALID_ARGUMENT", "reason": "FIELD_INVALID",
        "metadata": {"limit": "5"},
        "errors": [{"field": "title", "description": "is missing"}, {"field": "due", "description": "is past"}],
        "trace_id": "t1",
    });
    assert_eq!(body(&rendered), wanted);
}

#[test]
fn the_faults_of_services_are_not_shown() {
    for code in
        [Code::Internal, Code::Unknown, Code::DataLoss, Code::Unavailable, Code::DeadlineExceeded, Code::Unimplemented]
    {
        for as_rpc_status in [false, true] {
            let rendered = render(
                &status(code, "INTERNAL", "password of db is x"),
                &Context { asked: Asked { as_rpc_status, ..Asked::default() }, ..Context::default() },
            );
            let text = String::from_utf8(rendered.body).unwrap();
            assert!(
                rendered.status.is_server_error() && !text.contains("password") && !text.contains("\"k\""),
                "{text}"
            );
        }
    }
}

#[test]
fn a_foreign_or_malformed_reason_is_replaced() {
    let foreign = ErrorDetails::with_error_info("QUOTA", "googleapis.com", [("k".to_owned(), "v".to_owned())]);
    let rendered = render(&Status::with_error_details(Code::NotFound, "no", foreign), &Context::default());
    assert_eq!((&body(&rendered)["reason"], body(&rendered).get("metadata")), (&json!("NOT_FOUND"), None));
    let rendered = render(&status(Code::NotFound, "not a reason", ""), &Context::default());
    assert_eq!(body(&rendered)["reason"], "NOT_FOUND");
    let rendered = render(&Status::new(Code::ResourceExhausted, "x"), &Context::default());
    assert_eq!(body(&rendered)["reason"], "RATE_LIMITED");
}

#[test]
fn challenges_are_ours_and_say_no_more_than_they_must() {
    let cases = [
        ("TOKEN_MISSING", false, "Bearer realm=\"taskman\""),
        ("TOKEN_INVALID", false, "Bearer realm=\"taskman\""),
        ("LOGIN_FAILED", true, "Bearer realm=\"taskman\""),
        (
            "TOKEN_INVALID",
            true,
            "Bearer realm=\"taskman\", error=\"invalid_token\", error_description=\"the access token is not valid\"",
        ),
    ];
    for (reason, has_credentials, wanted) in cases {
        let context = Context { asked: Asked { has_credentials, ..Asked::default() }, ..Context::default() };
        let rendered = render(&status(Code::Unauthenticated, reason, "evil\", x=\"y"), &context);
        assert_eq!(header(&rendered, "www-authenticate"), Some(wanted), "{reason}");
    }
    assert_eq!(
        header(&render(&status(Code::NotFound, "NOT_FOUND", ""), &Context::default()), "www-authenticate"),
        None
    );
}

#[test]
fn a_delay_is_rounded_up_to_seconds() {
    for (millis, wanted) in [(1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60"), (0, "0")] {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(millis)));
        let rendered = render(&Status::with_error_details(Code::Unavailable, "", details), &Context::default());
        assert_eq!(header(&rendered, "retry-after"), Some(wanted));
    }
}

#[test]
fn the_profile_is_found_among_the_accepted_types() {
    let cases = [
        ("application/json;profile=\"google.rpc\"", true),
        ("application/json; profile=google.rpc", true),
        ("text/html, APPLICATION/JSON ; charset=utf-8; Profile=\"google.rpc\"", true),
        ("application/json", false),
        ("application/problem+json;profile=\"google.rpc\"", false),
        ("application/json;profile=\"other\"", false),
        ("*/*", false),
    ];
    for (accept, wanted) in cases {
        let headers = [(header::ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
        assert_eq!(wants_rpc_status(&headers), wanted, "{accept}");
    }
}

#[test]
fn the_profile_gets_a_status_with_typed_details() {
    let mut details = ErrorDetails::with_error_info("FIELD_INVALID", DOMAIN, [("k".to_owned(), "v".to_owned())]);
    details.set_retry_info(Some(Duration::from_millis(1500)));
    details.set_bad_request(vec![FieldViolation::new("title", "is missing")]);
    let status = Status::with_error_details(Code::InvalidArgument, "wrong", details);
    let rendered = render(
        &status,
        &Context { asked: Asked { as_rpc_status: true, ..Asked::default() }, request_id: "r1", ..Context::default() },
    );
    assert_eq!(header(&rendered, "content-type"), Some("application/json;profile=\"google.rpc\""));
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let wanted = json!({"code": 3, "message": "wrong", "details": [
        {"@type": kind("ErrorInfo"), "reason": "FIELD_INVALID", "domain": "taskman.dev", "metadata": {"k": "v"}},
        {"@type": kind("RetryInfo"), "retryDelay": "1.5s"},
        {"@type": kind("BadRequest"), "fieldViolations": [{"field": "title", "description": "is missing"}]},
        {"@type": kind("RequestInfo"), "requestId": "r1"},
    ]});
    assert_eq!(body(&rendered), wanted);
}

#[test]
fn the_gateways_own_status_wins_over_the_code() {
    let context = Context { http_status: Some(StatusCode::METHOD_NOT_ALLOWED), ..Context::default() };
    let rendered = render(&status(Code::Unimplemented, "METHOD_NOT_ALLOWED", "use GET"), &context);
    assert_eq!((rendered.status.as_u16(), body(&rendered)["detail"].as_str()), (405, Some("use GET")));
}
