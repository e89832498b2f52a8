//! Errors as HTTP answers: RFC 9457 problems, or `google.rpc.Status` for clients that ask for it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value as Json, json};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Where the reasons are described.
const REASONS: &str = "https://taskman.dev/reasons/";
/// The domain of reasons that are ours.
const DOMAIN: &str = "taskman.dev";
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const RPC_STATUS: HeaderValue = HeaderValue::from_static("application/json;profile=\"google.rpc\"");

/// What an error answer needs beside the status of the call.
#[derive(Debug, Default)]
pub struct Context<'c> {
    /// The id of the request.
    pub request_id: &'c str,
    /// The id of the trace, where there is one.
    pub trace_id: Option<&'c str>,
    /// What of the client's request decides how it is told.
    pub asked: Asked,
    /// The HTTP status where the gRPC code says too little.
    pub http_status: Option<StatusCode>,
}

/// What of a request decides how its errors are told.
#[derive(Debug, Default, Clone, Copy)]
pub struct Asked {
    /// Whether the client sent `If-Match`.
    pub has_precondition: bool,
    /// Whether the client sent an `Authorization` header.
    pub has_credentials: bool,
    /// Whether the client wants `google.rpc.Status`.
    pub as_rpc_status: bool,
}

impl Asked {
    /// Reads the headers of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            has_precondition: headers.contains_key(header::IF_MATCH),
            has_credentials: headers.contains_key(header::AUTHORIZATION),
            as_rpc_status: wants_rpc_status(headers),
        }
    }
}

/// An error answer.
#[derive(Debug)]
pub struct Rendered {
    /// The HTTP status.
    pub status: StatusCode,
    /// `Content-Type` and, where they fit, `WWW-Authenticate` and `Retry-After`.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Problem<'p> {
    #[serde(rename = "type")]
    kind: String,
    title: &'p str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'p str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instance: &'p str,
    code: &'p str,
    reason: &'p str,
    #[serde(skip_serializing_if = "Json::is_null")]
    metadata: Json,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'p str>,
}

#[derive(Serialize)]
struct FieldError {
    field: String,
    description: String,
}

/// Renders an error.
pub fn render(status: &Status, context: &Context<'_>) -> Rendered {
    let details = status.get_error_details();
    let reason = reason(status.code(), &details);
    let http_status =
        context.http_status.unwrap_or_else(|| http_status(status.code(), &reason, context.asked.has_precondition));
    // What a service says about its own faults is for the log.
    let hidden = http_status.is_server_error();
    let message = if hidden { sentence(status.code()) } else { status.message() };
    let mut headers = HeaderMap::new();
    if http_status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, challenge(&reason, context.asked.has_credentials));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        headers.insert(header::RETRY_AFTER, whole_seconds(delay).into());
    }
    let body = if context.asked.as_rpc_status {
        headers.insert(header::CONTENT_TYPE, RPC_STATUS);
        rpc_status(status.code(), message, &details, hidden, context.request_id)
    } else {
        headers.insert(header::CONTENT_TYPE, PROBLEM);
        let errors = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        json_of(&Problem {
            kind: format!("{REASONS}{reason}"),
            title: title(http_status),
            status: http_status.as_u16(),
            detail: message,
            instance: context.request_id,
            code: code_name(status.code()),
            reason: &reason,
            metadata: if hidden { Json::Null } else { metadata(&details) },
            errors: errors
                .iter()
                .map(|v| FieldError { field: v.field.clone(), description: v.description.clone() })
                .collect(),
            trace_id: context.trace_id,
        })
    };
    Rendered { status: http_status, headers, body }
}

/// Says whether the client asks for `google.rpc.Status` instead of a problem.
fn wants_rpc_status(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
        json && parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("profile") && value.trim().trim_matches('"') == "google.rpc"
        })
    })
}

/// Maps a gRPC code to the HTTP status of api.md.
pub fn http_status(code: Code, reason: &str, has_precondition: bool) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // Nginx's "client closed request": nobody reads it, but the log does.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        // A repetition in flight is no failed precondition.
        Code::Aborted if has_precondition && reason != "REQUEST_IN_FLIGHT" => StatusCode::PRECONDITION_FAILED,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the reason that the service gave, or the one that every error of the code has.
pub fn reason(code: Code, details: &ErrorDetails) -> String {
    let given = details.error_info().filter(|info| info.domain == DOMAIN && is_reason(&info.reason));
    given.map_or_else(|| default_reason(code).to_owned(), |info| info.reason.clone())
}

fn is_reason(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
}

const fn default_reason(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => "REQUEST_MALFORMED",
        Code::DeadlineExceeded | Code::Cancelled => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists | Code::Aborted => "ETAG_MISMATCH",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RATE_LIMITED",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Unavailable => "UNAVAILABLE",
        Code::Unauthenticated => "TOKEN_INVALID",
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => "INTERNAL",
    }
}

/// The name of a code as `google.rpc.Code` writes it.
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

const fn sentence(code: Code) -> &'static str {
    match code {
        Code::DeadlineExceeded => "the call took longer than it may",
        Code::Unavailable => "a service that is needed does not answer; try again",
        Code::Unimplemented => "this is not available here",
        _ => "internal error",
    }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        499 => "Client Closed Request",
        _ => status.canonical_reason().unwrap_or("Error"),
    }
}

/// The challenge of RFC 6750; built here alone, so that no upstream text gets into a header.
fn challenge(reason: &str, has_credentials: bool) -> HeaderValue {
    match reason {
        "TOKEN_INVALID" if has_credentials => HeaderValue::from_static(
            "Bearer realm=\"taskman\", error=\"invalid_token\", error_description=\"the access token is not valid\"",
        ),
        _ => HeaderValue::from_static("Bearer realm=\"taskman\""),
    }
}

/// Rounds up: a client that comes a moment too early is refused again.
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

fn metadata(details: &ErrorDetails) -> Json {
    let facts = details.error_info().filter(|info| info.domain == DOMAIN).map(|info| &info.metadata);
    match facts.filter(|facts| !facts.is_empty()) {
        // Through a sorted map: the same error is always the same text.
        Some(facts) => json!(facts.iter().collect::<std::collections::BTreeMap<_, _>>()),
        None => Json::Null,
    }
}

/// The proto3 JSON of `google.rpc.Status`, in Google's own camelCase.
fn rpc_status(code: Code, message: &str, details: &ErrorDetails, hidden: bool, request_id: &str) -> Vec<u8> {
    let mut list = Vec::new();
    let mut add = |name: &str, mut fields: Json| {
        if let Some(object) = fields.as_object_mut() {
            object.insert("@type".to_owned(), json!(format!("type.googleapis.com/google.rpc.{name}")));
        }
        list.push(fields);
    };
    let reason = reason(code, details);
    let facts = if hidden { Json::Null } else { metadata(details) };
    let facts = if facts.is_null() { json!({}) } else { facts };
    add("ErrorInfo", json!({"reason": reason, "domain": DOMAIN, "metadata": facts}));
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        add("RetryInfo", json!({"retryDelay": format!("{}s", delay.as_secs_f64())}));
    }
    if let Some(bad) = details.bad_request() {
        let violations = bad.field_violations.iter().map(|v| json!({"field": v.field, "description": v.description}));
        add("BadRequest", json!({"fieldViolations": violations.collect::<Vec<_>>()}));
    }
    if let Some(quota) = details.quota_failure() {
        let violations = quota.violations.iter().map(|v| json!({"subject": v.subject, "description": v.description}));
        add("QuotaFailure", json!({"violations": violations.collect::<Vec<_>>()}));
    }
    if let Some(failure) = details.precondition_failure().filter(|_| !hidden) {
        let violations = failure
            .violations
            .iter()
            .map(|v| json!({"type": v.r#type, "subject": v.subject, "description": v.description}));
        add("PreconditionFailure", json!({"violations": violations.collect::<Vec<_>>()}));
    }
    if let Some(resource) = details.resource_info().filter(|_| !hidden) {
        add("ResourceInfo", json!({"resourceType": resource.resource_type, "resourceName": resource.resource_name}));
    }
    add("RequestInfo", json!({"requestId": request_id}));
    json_of(&json!({"code": i32::from(code), "message": message, "details": list}))
}

fn json_of(value: &impl Serialize) -> Vec<u8> {
    // Strings, numbers and maps with string keys always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
