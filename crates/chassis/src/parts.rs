//! What a service is made of.

use std::pin::Pin;
use std::sync::Arc;

use taskman_messaging::Consumer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;

use crate::jobs::Job;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Serves a port in its own way until the token is cancelled and what runs has ended: the gateway does.
pub type HttpServer = Box<dyn FnOnce(TcpListener, CancellationToken) -> BoxFuture<()> + Send>;

/// Says whether something that the service cannot do without is there.
pub type Check = Arc<dyn Fn() -> BoxFuture<bool> + Send + Sync>;

/// The parts of a service, which the chassis sets to work.
#[derive(Default)]
pub struct Parts {
    pub(crate) grpc: RoutesBuilder,
    pub(crate) grpc_names: Vec<&'static str>,
    pub(crate) http: Option<HttpServer>,
    pub(crate) other_names: Vec<String>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) checks: Vec<(&'static str, Check)>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("grpc", &self.grpc_names).field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

impl Parts {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves a gRPC service.
    #[must_use]
    pub fn serve<S>(mut self, service: S) -> Self
    where
        S: tower::Service<
                http::Request<tonic::body::Body>,
                Response: axum::response::IntoResponse,
                Error = std::convert::Infallible,
            > + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.grpc.add_service(service);
        self.grpc_names.push(S::NAME);
        self
    }

    /// Serves the port with a server of its own instead of gRPC routes.
    #[must_use]
    pub fn serve_http<F, Fut>(mut self, server: F) -> Self
    where
        F: FnOnce(TcpListener, CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.http = Some(Box::new(move |listener, stop| Box::pin(server(listener, stop))));
        self
    }

    /// Tells its health under these names, too: those of the gRPC services that its own server answers for.
    #[must_use]
    pub fn answers_for(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.other_names.extend(names);
        self
    }

    /// Returns the names of the gRPC services whose health is that of the service.
    pub(crate) fn health_names(&self) -> Vec<String> {
        self.grpc_names.iter().map(|name| (*name).to_owned()).chain(self.other_names.iter().cloned()).collect()
    }

    /// Consumes a queue.
    #[must_use]
    pub fn consume(mut self, consumer: Consumer) -> Self {
        self.consumers.push(consumer);
        self
    }

    /// Runs a job beside the requests.
    #[must_use]
    pub fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// Is ready only while `check` says so.
    #[must_use]
    pub fn check<F, Fut>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }
}
