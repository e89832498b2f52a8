//! The body of an answer, watched until it tells how the call ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;
use tower::BoxError;

use super::verdict;
use crate::circuit::{Outcome, Permit};

pin_project_lite::pin_project! {
    /// Passes the frames on and reports the outcome: that of the trailers, or that of the error that ends the body.
    ///
    /// A probe is judged by its first frame, because a stream that lives for hours must not keep its place.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        permit: Permit,
    }
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, permit: Permit) -> Self {
        Self { body, permit }
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = match ready!(this.body.poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
                    this.permit.settle(verdict::of_status(&status));
                } else if this.permit.is_probe() {
                    this.permit.settle(Outcome::Passed);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let error = error.into();
                this.permit.settle(verdict::of_break(error.as_ref()));
                Some(Err(error))
            }
            None => {
                this.permit.settle(Outcome::Passed);
                None
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
