//! Stand-ins for other services: they implement the generated server traits and listen on real ports.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use taskman_proto::authorization::authorization_service_server::{AuthorizationService, AuthorizationServiceServer};
use taskman_proto::authorization::{
    CheckRequest, CheckResponse, DecideBatchRequest, DecideBatchResponse, DecideRequest, DecideResponse, Outcome,
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A stand-in at work; it ends when it is dropped.
#[derive(Debug)]
pub struct Fake {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Fake {
    /// Serves `service` on a free port.
    #[expect(clippy::disallowed_methods, reason = "the task ends with the guard that the fake holds")]
    pub async fn serve<S>(service: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port has an address");
        let stop = CancellationToken::new();
        let served = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop.clone().cancelled_owned());
        tokio::spawn(served);
        Self { address, _stop: stop.drop_guard() }
    }

    /// Returns the address as `upstreams` wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An authorization service that allows everything but what it was told to deny.
#[derive(Debug, Clone, Default)]
pub struct Authorization {
    denied: Arc<Mutex<Vec<String>>>,
}

impl Authorization {
    /// Allows everything.
    pub fn allowing() -> Self {
        Self::default()
    }

    /// Denies `action` from now on.
    pub fn deny(&self, action: &str) {
        self.denied.lock().unwrap().push(action.to_owned());
    }

    /// Returns the gRPC service.
    pub fn server(&self) -> AuthorizationServiceServer<Self> {
        AuthorizationServiceServer::new(self.clone())
    }

    fn outcome(&self, action: &str) -> Outcome {
        if self.denied.lock().unwrap().iter().any(|denied| denied == action) { Outcome::Deny } else { Outcome::Allow }
    }
}

#[tonic::async_trait]
impl AuthorizationService for Authorization {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let allowed = self.outcome(&request.get_ref().action) == Outcome::Allow;
        Ok(Response::new(CheckResponse { allowed, ..CheckResponse::default() }))
    }

    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<DecideResponse>, Status> {
        let outcome = self.outcome(&request.get_ref().action).into();
        let decision_id = taskman_ids::DecisionId::new().to_string();
        Ok(Response::new(DecideResponse { outcome, decision_id, reasons: Vec::new() }))
    }

    async fn decide_batch(
        &self,
        request: Request<DecideBatchRequest>,
    ) -> Result<Response<DecideBatchResponse>, Status> {
        let outcomes = request.get_ref().questions.iter().map(|asked| self.outcome(&asked.action).into()).collect();
        Ok(Response::new(DecideBatchResponse { outcomes }))
    }
}
