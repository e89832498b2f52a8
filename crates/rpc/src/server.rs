//! What every incoming call passes first: span, metrics, deadline, load shedding and a net for panics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use http::{Request, Response};
use taskman_errors::Kind;
use taskman_proto::options::Exposure;
use taskman_resilience::deadline::{self, Deadline};
use taskman_telemetry::{metric, propagation};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, field};

use crate::methods::{Method, Methods};
use crate::{outcome, status};

/// How much a service takes on at once, and for how long.
#[derive(Debug, Clone, Copy, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerOptions {
    /// The longest that a call may take, in milliseconds, whatever the client allows.
    pub max_deadline_ms: u64,
    /// How many calls from outside are worked on at once; more are refused.
    pub concurrency: usize,
    /// How many calls of other services are worked on at once: a limit of its own, so that no call waits for itself.
    pub fleet_concurrency: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { max_deadline_ms: 30_000, concurrency: 512, fleet_concurrency: 512 }
    }
}

/// Wraps the routes of a service.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    service: &'static str,
    methods: Methods,
    max_deadline: Duration,
    outside: Arc<Semaphore>,
    fleet: Arc<Semaphore>,
}

impl ServerLayer {
    /// Makes the layer of the service called `service`.
    pub fn new(service: &'static str, methods: Methods, options: ServerOptions) -> Self {
        Self {
            service,
            methods,
            max_deadline: Duration::from_millis(options.max_deadline_ms),
            outside: Arc::new(Semaphore::new(options.concurrency)),
            fleet: Arc::new(Semaphore::new(options.fleet_concurrency)),
        }
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, layer: self.clone() }
    }
}

/// The service that [`ServerLayer`] makes.
#[derive(Debug, Clone)]
pub struct Server<S> {
    inner: S,
    layer: ServerLayer,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S> Service<Request<Body>> for Server<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let spare = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, spare);
        let layer = self.layer.clone();
        let method = layer.methods.get(request.uri().path()).cloned();
        let span = make_span(layer.service, method.as_deref(), &request);
        Box::pin(serve(inner, layer, method, request).instrument(span).map(Ok))
    }
}

async fn serve<S>(inner: S, layer: ServerLayer, method: Option<Arc<Method>>, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let call = Call::begin(layer.service, method.as_deref());
    let response = match admit(&layer, method.as_deref()) {
        Err(refused) => refused.into_http(),
        Ok(_permit) => within_deadline(inner, &layer, request).await,
    };
    match outcome::code_in(response.headers()) {
        Some(code) => {
            call.end(code);
            response
        }
        None => response.map(|body| outcome::observe(body, move |code| call.end(code))),
    }
}

/// A call that is worked on. Its end is recorded once: with its code, or as cancelled when it is dropped before.
struct Call {
    service: &'static str,
    label: String,
    started: Instant,
    span: Span,
    code: Code,
}

impl Call {
    fn begin(service: &'static str, method: Option<&Method>) -> Self {
        // The label is from our own table, so that nobody can make metrics of arbitrary paths.
        let label = method.map_or("unknown", |method| method.path.trim_start_matches('/')).to_owned();
        Self { service, label, started: Instant::now(), span: Span::current(), code: Code::Cancelled }
    }

    fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        metric::request(self.service, &self.label, status::code_name(self.code), self.started.elapsed());
        let duration_ms = self.started.elapsed().as_millis();
        tracing::debug!(duration_ms, rpc.code = ?self.code, "request ended");
    }
}

/// Takes a place among the calls that are worked on, or sheds the call.
fn admit(layer: &ServerLayer, method: Option<&Method>) -> Result<tokio::sync::OwnedSemaphorePermit, Status> {
    let places = match method.map(Method::exposure) {
        Some(Exposure::Fleet) => &layer.fleet,
        _ => &layer.outside,
    };
    Arc::clone(places)
        .try_acquire_owned()
        .map_err(|_| status::refuse(Kind::Exhausted, "OVERLOADED", "the service has as much to do as it can"))
}

async fn within_deadline<S>(mut inner: S, layer: &ServerLayer, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let longest = Deadline::after(layer.max_deadline);
    let deadline = Deadline::from_grpc_timeout(request.headers()).map_or(longest, |sent| sent.min(longest));
    // Work whose answer would come too late is not begun.
    if deadline.for_next_hop().is_none() {
        return too_late().into_http();
    }
    let call = AssertUnwindSafe(deadline::scope(deadline, inner.call(request))).catch_unwind();
    match tokio::time::timeout_at(deadline.instant(), call).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_panic)) => {
            tracing::error!("a request handler panicked");
            status::internal().into_http()
        }
        Err(_elapsed) => too_late().into_http(),
    }
}

fn too_late() -> Status {
    status::refuse(Kind::Timeout, "DEADLINE_EXCEEDED", "the deadline of the call passed")
}

fn make_span<B>(service: &'static str, method: Option<&Method>, request: &Request<B>) -> Span {
    let span = tracing::info_span!(
        "request",
        service,
        otel.name = method.map_or("unknown", |method| method.path.trim_start_matches('/')),
        otel.kind = "server",
        rpc.system = "grpc",
        request_id = field::Empty,
        user_id = field::Empty,
        company_id = field::Empty,
    );
    propagation::set_parent(&span, header(request, "traceparent"), header(request, "tracestate"));
    span
}

fn header<'a, B>(request: &'a Request<B>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_is_dropped_before_its_answer_counts_as_cancelled() {
        let telemetry = taskman_telemetry::install_for_tests();
        let layer = ServerLayer::new("dropped", Methods::load(), ServerOptions::default());
        let mut server = layer
            .layer(tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>()));
        let request = Request::builder().uri("/x.Y/Z").body(Body::empty()).unwrap();
        assert!(server.call(request).now_or_never().is_none());
        let text = telemetry.render_metrics();
        let counted = |line: &str| line.contains(r#"service="dropped""#) && line.contains(r#"status="CANCELLED""#);
        assert!(text.lines().any(counted), "{text}");
    }
}
