//! Sees how a call ended: the status of a gRPC response stands in its headers or, after the body, in its trailers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

/// Returns the code that stands in `headers`, if one does.
pub(crate) fn code_in(headers: &http::HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// Passes a body through and calls `ended` once with the code of its trailers, or with `Cancelled` when nobody read it
/// to the end.
pub(crate) fn observe(body: Body, ended: impl FnOnce(Code) + Send + 'static) -> Body {
    Body::new(Observed { inner: body, ended: Some(Box::new(ended)) })
}

struct Observed {
    inner: Body,
    ended: Option<Box<dyn FnOnce(Code) + Send>>,
}

impl Observed {
    fn end(&mut self, code: Code) {
        if let Some(ended) = self.ended.take() {
            ended(code);
        }
    }
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let code = code_in(trailers).unwrap_or(Code::Unknown);
                    self.end(code);
                }
            }
            Poll::Ready(Some(Err(status))) => {
                let code = status.code();
                self.end(code);
            }
            Poll::Ready(None) => self.end(Code::Ok),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}
