//! Says of a status, a response or an error whether the peer failed.

use std::error::Error;

use http::{Response, StatusCode};
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::circuit::Outcome;

/// Judges a gRPC status.
pub(super) fn of_status(status: &Status) -> Outcome {
    let failed = match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Internal => true,
        // With a time to come back it is the caller's limit that is used up; without one, the peer itself is.
        Code::ResourceExhausted => status.get_details_retry_info().is_none(),
        _ => false,
    };
    if failed { Outcome::Failed } else { Outcome::Passed }
}

/// Judges the head of a response, when it says how the call ended: a status without a body, or a proxy's error.
pub(super) fn of_head<B>(response: &Response<B>) -> Option<Outcome> {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return Some(of_status(&status));
    }
    match response.status() {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Some(Outcome::Failed)
        }
        _ => None,
    }
}

/// Judges an error of the transport, which is that nobody was there unless its cause says more.
pub(super) fn of_error(error: &(dyn Error + 'static)) -> Outcome {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return Outcome::Failed;
        }
        if let Some(status) = error.downcast_ref::<Status>() {
            return of_status(status);
        }
        cause = error.source();
    }
    Outcome::Lost
}

/// Judges an error that ends the body of an answer: the peer was there and broke off.
///
/// It is not counted as nobody being there: one replica that restarts breaks off all its streams at once, while the
/// others behind the same channel are well.
pub(super) fn of_break(error: &(dyn Error + 'static)) -> Outcome {
    match error.downcast_ref::<Status>() {
        Some(status) if status.code() == Code::Cancelled => Outcome::Passed,
        _ => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn only_four_codes_are_the_peers_fault() {
        for code in (0..=16).map(Code::from) {
            let blamed =
                matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Internal | Code::ResourceExhausted);
            assert_eq!(of_status(&Status::new(code, "")) == Outcome::Failed, blamed, "{code:?}");
        }
    }

    #[test]
    fn a_limit_that_says_when_to_come_back_is_not_a_failure() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(1)));
        let limited = Status::with_error_details(Code::ResourceExhausted, "limit", details);
        assert_eq!(of_status(&limited), Outcome::Passed);
    }

    #[test]
    fn a_proxy_without_a_backend_is_a_failure() {
        let head = |code| Response::builder().status(code).body(()).expect("a valid response");
        assert_eq!(of_head(&head(503)), Some(Outcome::Failed));
        assert_eq!(of_head(&head(200)), None);
    }

    #[test]
    fn a_wrapped_status_is_found_behind_its_wrapper() {
        #[derive(Debug, thiserror::Error)]
        #[error("wrapped")]
        struct Wrapped(#[source] Status);
        assert_eq!(of_error(&Wrapped(Status::not_found("x"))), Outcome::Passed);
        assert_eq!(of_error(&Wrapped(Status::unavailable("x"))), Outcome::Failed);
        assert_eq!(of_error(&std::io::Error::other("reset")), Outcome::Lost);
    }
}
