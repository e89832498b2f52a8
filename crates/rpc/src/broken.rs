//! What a caller is told when the transport breaks: a peer that dies in the middle of a call is a peer that is away.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Status, TimeoutExpired};
use tower::BoxError;

use crate::outcome;

/// Returns the status of a call to `peer` that ended without an answer: one that stands among the causes, else
/// DEADLINE_EXCEEDED when the time was over, else UNAVAILABLE. The library would say UNKNOWN or CANCELLED.
pub(crate) fn status(peer: &'static str, error: BoxError) -> Status {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<Status>() {
            return status.clone();
        }
        if error.is::<TimeoutExpired>() {
            return Status::deadline_exceeded("a service that is needed did not answer in time");
        }
        cause = error.source();
    }
    away(peer, error)
}

/// Passes an answer of `peer` on, and ends it with UNAVAILABLE where the transport breaks it off.
pub(crate) fn watch(peer: &'static str, response: Response<Body>) -> Response<Body> {
    // Of an answer that is not gRPC's, as a proxy's error, the library makes what its HTTP status says.
    let ended = response.status() != StatusCode::OK || outcome::code_in(response.headers()).is_some();
    response.map(|inner| Body::new(Watched { inner, peer, ended }))
}

/// Nobody sent this status, so it has no details; callers tell it from a peer's own by that.
fn away(peer: &'static str, error: BoxError) -> Status {
    tracing::debug!(peer, ?error, "the transport of a call broke");
    let mut status = Status::unavailable("a service that is needed does not answer; try again");
    status.set_source(Arc::from(error));
    status
}

struct Watched {
    inner: Body,
    peer: &'static str,
    ended: bool,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let problem: BoxError = match polled {
            Poll::Ready(Some(Err(status))) => status.into(),
            Poll::Ready(None) if !self.ended => "the answer has no trailers".into(),
            Poll::Ready(Some(Ok(frame))) => {
                self.ended |= frame.is_trailers();
                return Poll::Ready(Some(Ok(frame)));
            }
            other => return other,
        };
        self.ended = true;
        Poll::Ready(Some(Err(away(self.peer, problem))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use tonic::Code;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] BoxError);

    fn wrapped(error: impl Into<BoxError>) -> Status {
        status("user", Box::new(Wrapped(error.into())))
    }

    #[test]
    fn a_broken_connection_is_a_peer_that_is_away() {
        let status = wrapped(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.details().is_empty(), "nobody sent it");
    }

    #[test]
    fn a_timeout_and_a_status_keep_their_meaning() {
        assert_eq!(wrapped(TimeoutExpired(())).code(), Code::DeadlineExceeded);
        assert_eq!(wrapped(Status::not_found("x")).code(), Code::NotFound);
    }

    async fn last(status: StatusCode, frames: Vec<Result<Frame<Bytes>, Status>>) -> Result<(), Code> {
        let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
        *response.status_mut() = status;
        watch("user", response).into_body().collect().await.map(|_| ()).map_err(|status| status.code())
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_a_peer_that_is_away() {
        let part = || Ok(Frame::data(Bytes::from_static(b"part")));
        let reset = Err(Status::unknown("h2 protocol error"));
        assert_eq!(last(StatusCode::OK, vec![part(), reset]).await, Err(Code::Unavailable));
        assert_eq!(last(StatusCode::OK, vec![part()]).await, Err(Code::Unavailable), "without trailers");
        assert_eq!(last(StatusCode::OK, vec![part(), Ok(Frame::trailers(http::HeaderMap::new()))]).await, Ok(()));
        assert_eq!(last(StatusCode::BAD_GATEWAY, vec![part()]).await, Ok(()), "a proxy's answer is left alone");
    }
}
