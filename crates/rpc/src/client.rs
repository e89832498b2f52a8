//! Channels to other services: breaker, deadline, trace and, for FLEET methods, the voucher that says who calls.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use taskman_clock::SharedClock;
use taskman_errors::Kind;
use taskman_identity::{Client, Principal, VOUCHER_HEADER, VoucherKeys};
use taskman_ids::RequestId;
use taskman_proto::options::Exposure;
use taskman_resilience::deadline::{self, Deadline, GRPC_TIMEOUT};
use taskman_resilience::{Breaker, BreakerLayer, Settings};
use taskman_telemetry::propagation;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::{BoxError, Layer as _, Service};

use crate::methods::Methods;
use crate::{broken, status};

/// How long a call to another service may take when the work has no deadline of its own, as in a job.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// The service whose callers are outside: they choose how long they wait, and leave when they like.
const EDGE: &str = "gateway";

/// What a channel needs to know of the one who calls.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The name of the calling service.
    pub service: &'static str,
    /// The table of methods.
    pub methods: Methods,
    /// The keys of the calling service.
    pub vouchers: VoucherKeys,
    /// The clock that vouchers are dated with.
    pub clock: SharedClock,
}

/// A channel to another service, for the generated clients; cheap to clone, connects when it is first used and again
/// whenever it must.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: Breaker<tonic::transport::Channel>,
    peer: &'static str,
    origin: Origin,
}

impl Channel {
    /// Makes a channel to the service `peer` at `address` (`http://host:port`). Nothing is connected yet.
    pub fn new(peer: &'static str, address: &str, origin: Origin) -> Result<Self, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(Duration::from_secs(1))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true);
        let breaker = BreakerLayer::with_settings(origin.service, peer, settings(origin.service));
        let inner = breaker.layer(endpoint.connect_lazy());
        Ok(Self { inner, peer, origin })
    }

    /// Names the service at the other end.
    pub fn peer(&self) -> &'static str {
        self.peer
    }

    /// Adds what a call carries; refuses it when no time is left to make it.
    fn prepare(&self, request: &mut Request<Body>) -> Result<(), Status> {
        let method = self.origin.methods.get(request.uri().path()).cloned();
        let headers = request.headers_mut();
        propagation::inject(headers);
        let own = Deadline::after(DEFAULT_DEADLINE);
        let deadline = match deadline::current() {
            Some(current) => current.for_next_hop().ok_or_else(too_late)?,
            None => own,
        };
        // A stream outlives the deadline of whoever opened it, and a deadline that was set closer on purpose stays.
        if !method.as_ref().is_some_and(|method| method.is_streaming()) && !headers.contains_key(GRPC_TIMEOUT) {
            headers.insert(GRPC_TIMEOUT, deadline.to_grpc_timeout_header());
        }
        if let Some(method) = method.filter(|method| method.exposure() == Exposure::Fleet) {
            headers.insert(VOUCHER_HEADER, self.voucher(&method.path, deadline.remaining())?);
        }
        Ok(())
    }

    fn voucher(&self, path: &str, left: Duration) -> Result<HeaderValue, Status> {
        let Origin { service, vouchers, clock, .. } = &self.origin;
        let principal = Principal::Service { name: (*service).to_owned(), client: Client::unknown(RequestId::new()) };
        let sealed = vouchers.issue(self.peer, path, principal, clock.now(), left).map_err(|error| {
            tracing::error!(%error, peer = self.peer, "cannot vouch for a call");
            status::internal()
        })?;
        HeaderValue::try_from(sealed).map_err(|_| status::internal())
    }
}

/// Returns when a circuit opens. Callers from outside blame a peer only when they waited for as long as it takes to call it
/// slow: else some that are impatient on purpose would shut it to everybody.
fn settings(service: &str) -> Settings {
    let usual = Settings::default();
    match usual.slow_after {
        Some(abandoned_after) if service == EDGE => Settings { abandoned_after, ..usual },
        _ => usual,
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Err(refused) = self.prepare(&mut request) {
            return Box::pin(async move { Ok(refused.into_http()) });
        }
        // Outside of the breaker, which judges what the transport itself says.
        let (peer, answer) = (self.peer, self.inner.call(request));
        Box::pin(async move {
            match answer.await {
                Ok(response) => Ok(broken::watch(peer, response)),
                Err(error) => Err(broken::status(peer, error).into()),
            }
        })
    }
}

fn too_late() -> Status {
    status::refuse(Kind::Timeout, "DEADLINE_EXCEEDED", "no time is left for the call")
}
