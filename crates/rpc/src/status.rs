//! The one place where failures become `google.rpc.Status`, and where a status of another service becomes a failure.

use std::collections::HashMap;
use std::time::Duration;

use taskman_errors::{Failure, Kind, Violation};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The `domain` of every `ErrorInfo`.
pub const DOMAIN: &str = "taskman.dev";

/// Maps a failure to what the outside is shown: code, message, `ErrorInfo` and, where they fit, `BadRequest` and
/// `RetryInfo`. The text of an internal fault is never shown.
pub fn from_failure(failure: &dyn Failure) -> Status {
    let kind = failure.kind();
    let message = match kind {
        Kind::Internal => "internal error".to_owned(),
        _ => failure.to_string(),
    };
    let mut details = ErrorDetails::with_error_info(
        failure.reason(),
        DOMAIN,
        failure.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<HashMap<_, _>>(),
    );
    if !failure.violations().is_empty() {
        details.set_bad_request(failure.violations().iter().map(field_violation).collect::<Vec<_>>());
    }
    if let Some(delay) = failure.retry_after().or_else(|| default_retry(kind)) {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code(kind), message, details)
}

/// Builds a status that comes from no failure type: refusals of the layers in front of the use cases.
pub fn refuse(kind: Kind, reason: &'static str, message: &str) -> Status {
    refuse_with(kind, reason, message, &[])
}

/// Builds such a status with metadata.
pub fn refuse_with(kind: Kind, reason: &'static str, message: &str, metadata: &[(&str, &str)]) -> Status {
    let mut details = ErrorDetails::with_error_info(
        reason,
        DOMAIN,
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<HashMap<_, _>>(),
    );
    if let Some(delay) = default_retry(kind) {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code(kind), message, details)
}

/// Builds the status of a fault of ours.
pub fn internal() -> Status {
    refuse(Kind::Internal, "INTERNAL", "internal error")
}

/// Maps a kind to its gRPC code.
pub const fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::Refused => Code::FailedPrecondition,
        Kind::Stale => Code::Aborted,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Timeout => Code::DeadlineExceeded,
        Kind::Unavailable => Code::Unavailable,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Internal => Code::Internal,
    }
}

/// Maps a gRPC code to the kind that it stands for; codes that we never send count as internal.
pub const fn kind(code: Code) -> Kind {
    match code {
        Code::InvalidArgument | Code::OutOfRange => Kind::Invalid,
        Code::Unauthenticated => Kind::Unauthenticated,
        Code::PermissionDenied => Kind::Forbidden,
        Code::NotFound => Kind::NotFound,
        Code::AlreadyExists => Kind::AlreadyExists,
        Code::FailedPrecondition => Kind::Refused,
        Code::Aborted => Kind::Stale,
        Code::ResourceExhausted => Kind::Exhausted,
        Code::DeadlineExceeded | Code::Cancelled => Kind::Timeout,
        Code::Unavailable => Kind::Unavailable,
        Code::Unimplemented => Kind::Unimplemented,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Kind::Internal,
    }
}

/// Returns the name of a code as the gRPC specification writes it: for metrics and logs.
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

const fn default_retry(kind: Kind) -> Option<Duration> {
    match kind {
        Kind::Unavailable => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn field_violation(violation: &Violation) -> FieldViolation {
    FieldViolation::new(&violation.field, &violation.description)
}

/// The answer of another service that was not the one hoped for.
///
/// What concerns only the two services stays between them: a refusal that the caller cannot help becomes an internal
/// fault, an absence becomes unavailability. `clients.rs` of each service maps the answers that mean something first.
#[derive(Debug, thiserror::Error)]
#[error("{}", shown(.status))]
pub struct UpstreamError {
    status: Box<Status>,
    retry_after: Option<Duration>,
}

impl UpstreamError {
    /// Returns the code that the other service answered.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// Returns the reason that the other service gave.
    pub fn upstream_reason(&self) -> Option<String> {
        self.status.get_details_error_info().map(|info| info.reason)
    }

    /// Returns what the other service found wrong with which field.
    pub fn violations(&self) -> Vec<Violation> {
        let Some(bad) = self.status.get_details_bad_request() else { return Vec::new() };
        bad.field_violations
            .into_iter()
            .map(|found| Violation { field: found.field, description: found.description })
            .collect()
    }
}

impl From<Status> for UpstreamError {
    fn from(status: Status) -> Self {
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        Self { status: Box::new(status), retry_after }
    }
}

impl Failure for UpstreamError {
    fn kind(&self) -> Kind {
        match kind(self.status.code()) {
            // A deadline of a hop is shorter than the caller's: to the caller the other service is just away.
            Kind::Unavailable | Kind::Timeout | Kind::Exhausted => Kind::Unavailable,
            _ => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self.kind() {
            Kind::Unavailable => "UNAVAILABLE",
            _ => "INTERNAL",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

fn shown(status: &Status) -> &'static str {
    match kind(status.code()) {
        Kind::Unavailable | Kind::Timeout | Kind::Exhausted => "a service that is needed does not answer; try again",
        _ => "a service that is needed answered in an unexpected way",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Example(&'static str, Kind, Vec<Violation>);

    impl Failure for Example {
        fn kind(&self) -> Kind {
            self.1
        }
        fn reason(&self) -> &'static str {
            "EXAMPLE"
        }
        fn violations(&self) -> &[Violation] {
            &self.2
        }
        fn metadata(&self) -> Vec<(&'static str, String)> {
            vec![("from", "todo".into())]
        }
    }

    const KINDS: [Kind; 12] = [
        Kind::Invalid,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::AlreadyExists,
        Kind::Refused,
        Kind::Stale,
        Kind::Exhausted,
        Kind::Timeout,
        Kind::Unavailable,
        Kind::Unimplemented,
        Kind::Internal,
    ];

    #[test]
    fn every_kind_survives_the_wire() {
        for expected in KINDS {
            assert_eq!(kind(code(expected)), expected);
        }
    }

    #[test]
    fn the_text_of_an_internal_fault_is_not_shown() {
        let status = from_failure(&Example("password of the database is x", Kind::Internal, vec![]));
        assert_eq!(status.message(), "internal error");
    }

    #[test]
    fn reason_metadata_and_every_violation_are_shown() {
        let violation = Violation { field: "title".into(), description: "is missing".into() };
        let status = from_failure(&Example("invalid", Kind::Invalid, vec![violation.clone(), violation]));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("EXAMPLE", DOMAIN));
        assert_eq!(info.metadata["from"], "todo");
        assert_eq!(details.bad_request().unwrap().field_violations.len(), 2);
    }

    #[test]
    fn a_refusal_between_services_is_no_refusal_of_the_caller() {
        let error = UpstreamError::from(Status::permission_denied("not for task"));
        assert_eq!(error.kind(), Kind::Internal);
        assert!(!error.to_string().contains("task"));
        assert_eq!(UpstreamError::from(Status::deadline_exceeded("")).kind(), Kind::Unavailable);
    }
}
