//! The layer in front of every service: believes the gateway's vouchers and checks what comes without one.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use taskman_errors::Kind;
use taskman_identity::{Client, Principal, REQUEST_ID_HEADER, VOUCHER_HEADER};
use taskman_ids::RequestId;
use taskman_proto::options::Exposure;
use taskman_rpc::{Method, status};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service};
use tracing::Span;

use crate::access::Access;
use crate::message;

/// The only service whose vouchers stand for people.
const GATEWAY: &str = "gateway";

/// Puts the enforcement layer in front of the routes of a service.
#[derive(Debug, Clone)]
pub struct AccessLayer(Access);

impl AccessLayer {
    /// Enforces with `access`.
    pub const fn new(access: Access) -> Self {
        Self(access)
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Enforced<S>;

    fn layer(&self, inner: S) -> Enforced<S> {
        Enforced { inner, access: self.0.clone() }
    }
}

/// The service that [`AccessLayer`] makes.
#[derive(Debug, Clone)]
pub struct Enforced<S> {
    inner: S,
    access: Access,
}

impl<S> Service<Request<Body>> for Enforced<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let access = self.access.clone();
        Box::pin(async move {
            match enforce(&access, request).await {
                Ok(request) => inner.call(request).await,
                Err(refused) => Ok(refused.into_http()),
            }
        })
    }
}

/// Returns the request with its principal, or the refusal. Paths that are not ours (health, reflection, unknown) pass: they
/// reach no use case.
async fn enforce(access: &Access, mut request: Request<Body>) -> Result<Request<Body>, Status> {
    let Some(method) = access.methods().get(request.uri().path()).cloned() else { return Ok(request) };
    let voucher = request.headers_mut().remove(VOUCHER_HEADER);
    let principal = if let Some(voucher) = voucher {
        believe(access, &method, voucher.to_str().unwrap_or_default())?
    } else {
        let (checked, principal) = check(access, &method, request).await?;
        request = checked;
        principal
    };
    Span::current().record("request_id", tracing::field::display(principal.client().request_id));
    if let Some(caller) = principal.caller() {
        Span::current().record("user_id", tracing::field::display(caller.user));
        Span::current().record("company_id", tracing::field::display(caller.company));
    }
    request.extensions_mut().insert(principal);
    Ok(request)
}

/// Takes the principal out of a voucher: of any listed service for a FLEET method, of the gateway for all others.
fn believe(access: &Access, method: &Method, text: &str) -> Result<Principal, Status> {
    let voucher = access.vouchers().open(text, &method.path, access.clock().now()).map_err(|error| {
        tracing::warn!(rpc.method = method.path, voucher.problem = error.label(), "a voucher was refused");
        status::refuse(Kind::Unauthenticated, "TOKEN_INVALID", "the voucher of the call is not valid here")
    })?;
    let allowed = match (method.exposure(), &voucher.principal) {
        (Exposure::Fleet, Principal::Service { name, .. }) => {
            *name == voucher.issuer && method.rules.fleet_callers.contains(&voucher.issuer)
        }
        (Exposure::Public, _) | (Exposure::Self_ | Exposure::Caller, Principal::User(_)) => voucher.issuer == GATEWAY,
        _ => false,
    };
    if allowed {
        return Ok(voucher.principal);
    }
    tracing::warn!(peer = voucher.issuer, "a voucher does not cover the method");
    Err(status::refuse(Kind::Forbidden, "FLEET_ONLY", "the service may not call this method"))
}

async fn check(access: &Access, method: &Method, request: Request<Body>) -> Result<(Request<Body>, Principal), Status> {
    let client = client(&request);
    let authorization = header(request.headers(), http::header::AUTHORIZATION.as_str()).map(str::to_owned);
    // Nothing is read into memory for somebody who is not known.
    let principal = access.identify(method, authorization.as_deref(), client).await?;
    let (request, message) = if access.reads_request(method) {
        let (parts, body) = request.into_parts();
        let (body, message) = message::peek(body, method.input()).await?;
        (Request::from_parts(parts, body), Some(message))
    } else {
        (request, None)
    };
    access.authorize(method, &principal, message.as_ref()).await?;
    Ok((request, principal))
}

/// Without a voucher the client is whoever holds the other end of the connection.
fn client(request: &Request<Body>) -> Client {
    let address = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    let request_id = header(request.headers(), REQUEST_ID_HEADER).and_then(|text| RequestId::parse(text).ok());
    Client::new(
        address.map(|address| address.ip().to_canonical()),
        header(request.headers(), "user-agent"),
        request_id.unwrap_or_else(RequestId::new),
    )
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
