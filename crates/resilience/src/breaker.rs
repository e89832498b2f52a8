//! A circuit breaker as a tower layer in front of a gRPC channel.

mod answer;
mod verdict;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{BoxError, Layer, Service, ServiceExt as _};

use self::answer::Answer;
use crate::Deadline;
use crate::circuit::{Circuit, Outcome, Settings, State};

/// Puts one circuit in front of the channel to one peer; channels made by the same layer share it.
#[derive(Debug, Clone)]
pub struct BreakerLayer(Arc<Circuit>);

/// A channel behind a circuit breaker.
///
/// While the circuit is open a call is answered at once with UNAVAILABLE and a `RetryInfo`, and the peer hears nothing.
/// Only the peer's own failures count: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL and RESOURCE_EXHAUSTED without
/// `RetryInfo` (with it, it is a limit that the caller has reached), whether they stand in the headers or in the
/// trailers, and transport errors. Five of the latter in a row open the circuit whatever the traffic.
#[derive(Debug, Clone)]
pub struct Breaker<S> {
    inner: S,
    circuit: Arc<Circuit>,
}

impl BreakerLayer {
    /// Starts the circuit of the calls of `service` to `peer`.
    pub fn new(service: &'static str, peer: &'static str) -> Self {
        Self::with_settings(service, peer, Settings::default())
    }

    /// Starts the circuit with other numbers.
    pub fn with_settings(service: &'static str, peer: &'static str, settings: Settings) -> Self {
        Self(Circuit::new(service, peer, settings))
    }

    /// Returns the present state.
    pub fn state(&self) -> State {
        self.0.state()
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Breaker<S>;

    fn layer(&self, inner: S) -> Breaker<S> {
        Breaker { inner, circuit: Arc::clone(&self.0) }
    }
}

impl<S, B, R> Service<Request<B>> for Breaker<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    B: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The channel is awaited within the call: a channel that is never ready must not keep an open circuit from
        // answering, and the time until it is ready is part of the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (inner, circuit) = (self.inner.clone(), Arc::clone(&self.circuit));
        Box::pin(async move {
            let mut permit = match circuit.admit(Outcome::Failed) {
                Ok(permit) => permit,
                Err(retry_after) => return Ok(refusal(circuit.peer(), retry_after)),
            };
            if let Some(deadline) = Deadline::from_grpc_timeout(request.headers()) {
                permit.has_until(deadline);
            }
            match inner.oneshot(request).await {
                Ok(response) => Ok(if let Some(outcome) = verdict::of_head(&response) {
                    permit.settle(outcome);
                    response.map(Body::new)
                } else {
                    permit.answered();
                    response.map(|body| Body::new(Answer::new(body, permit)))
                }),
                Err(error) => {
                    let error = error.into();
                    permit.settle(verdict::of_error(error.as_ref()));
                    Err(error)
                }
            }
        })
    }
}

/// Answers in place of the peer.
fn refusal(peer: &str, retry_after: Duration) -> Response<Body> {
    let details = ErrorDetails::with_retry_info(Some(retry_after));
    Status::with_error_details(Code::Unavailable, format!("{peer}: circuit open"), details).into_http()
}

const _: fn() = || {
    // The layer must keep fitting under generated clients, which ask for exactly this.
    fn is_grpc_service<T: tonic::client::GrpcService<Body>>() {}
    is_grpc_service::<Breaker<tonic::transport::Channel>>();
};

#[cfg(test)]
mod tests;
