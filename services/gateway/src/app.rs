//! The gateway itself: one chain for REST, gRPC and gRPC-Web.

mod grpc;
mod rest;
mod visit;

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, Version};
use taskman_access::Access;
use taskman_identity::Principal;
use taskman_proto::options::{Exposure, Limit};
use taskman_rpc::Method;
use taskman_rpc::client::Channel;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower_http::cors::CorsLayer;
use tracing::Instrument as _;

use crate::config::Config;
use crate::edge::{accept, cors, head, proxies::Proxies};
use crate::error::Error;
use crate::layers::enforce;
use crate::layers::rate_limit::{self, RateLimits};
use crate::transcode::dialect::Dialect;
use crate::transcode::route::{Binding, RouteError, RouteTable};
use crate::upstream::Upstreams;
use visit::Visit;

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A rule in a `.proto` file makes no route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A value of the configuration is not what it should be.
    #[error("{0}")]
    Config(String),
    /// A method belongs to a service to which there is no channel.
    #[error("{method} belongs to {service}, to which there is no channel")]
    NoChannel {
        /// The path of the method.
        method: String,
        /// The service.
        service: &'static str,
    },
}

/// The gateway; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    proxies: Proxies,
    cors: CorsLayer,
    routes: RouteTable,
    methods: HashMap<String, Arc<Method>>,
    dialect: Dialect,
    access: Access,
    limits: RateLimits,
    upstreams: Upstreams,
    places: Semaphore,
}

impl Gateway {
    /// Makes the gateway for the methods that `access` knows; `channels` lead to the services.
    pub fn new(
        config: Config,
        access: Access,
        limits: RateLimits,
        channels: impl IntoIterator<Item = Channel>,
    ) -> Result<Self, StartError> {
        let open = access.methods().iter().filter(|method| method.exposure() != Exposure::Fleet);
        let methods: HashMap<_, _> = open.map(|method| (method.path.clone(), Arc::clone(method))).collect();
        let pool = access.methods().pool();
        let routes = RouteTable::build(pool, methods.values().cloned())?;
        let upstreams = Upstreams::new(channels, config.requests.max_response_bytes);
        for method in methods.values() {
            if let Some(service) = method.service.filter(|service| !upstreams.has(service)) {
                return Err(StartError::NoChannel { method: method.path.clone(), service });
            }
        }
        Ok(Self(Arc::new(Inner {
            proxies: Proxies::parse(&config.trusted_proxies).map_err(StartError::Config)?,
            cors: cors::layer(&config.cors_origins).map_err(StartError::Config)?,
            dialect: Dialect::of(pool),
            places: Semaphore::new(config.requests.max_in_flight),
            config,
            routes,
            methods,
            access,
            limits,
            upstreams,
        })))
    }

    /// Returns every route, in the order of declaration.
    pub fn bindings(&self) -> &[Arc<Binding>] {
        self.0.routes.bindings()
    }

    /// Returns the gateway behind `local`, which answers what is the gateway's own: health, reflection.
    pub fn router(&self, local: Router) -> Router {
        local.fallback_service(self.clone()).layer(self.0.cors.clone())
    }

    /// Serves a port until `stop`, then lets the requests that run end.
    pub async fn serve(self, listener: TcpListener, local: Router, stop: CancellationToken) {
        let limits = accept::Limits {
            connections: self.0.config.connections,
            requests: self.0.config.requests,
            proxies: self.0.proxies.clone(),
        };
        accept::serve(listener, self.router(local), limits, stop).await;
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let visit = Visit::new(&self.0.proxies, &request);
        let span = visit.span(&request);
        // The visit ends within its span, even when the client leaves and all this is dropped.
        let answered = async move {
            // Nothing of a panic reaches the client, and the connection goes on.
            let work = AssertUnwindSafe(self.dispatch(request, &visit)).catch_unwind().await;
            let response = work.unwrap_or_else(|_panic| {
                tracing::error!("a request handler panicked");
                visit.refuse(&taskman_rpc::status::internal().into())
            });
            visit.finish(response)
        };
        answered.instrument(span).await
    }

    async fn dispatch(&self, request: Request<Body>, visit: &Visit) -> Response<Body> {
        let Ok(_place) = self.0.places.try_acquire() else { return visit.refuse(&Error::Overloaded) };
        match visit.protocol {
            visit::Protocol::Grpc if request.version() != Version::HTTP_2 => {
                visit.refuse(&Error::Malformed("gRPC needs HTTP/2".to_owned()))
            }
            visit::Protocol::Grpc | visit::Protocol::GrpcWeb => self.grpc(request, visit).await,
            visit::Protocol::Rest => match self.rest(request, visit).await {
                Ok(response) => response,
                Err(error) => visit.refuse(&error),
            },
        }
    }

    /// The longest that a call of a method may take.
    fn longest(&self, class: Limit) -> Duration {
        longest(&self.0.config, class)
    }

    fn check_head(&self, parts: &http::request::Parts) -> Result<(), Error> {
        head::check_size(parts, &self.0.config.requests)
    }

    /// Finds out who calls and counts the call, before a body is read: of the user, of the address where nobody is known,
    /// and of the address, too, where somebody only claims to be. What is refused later has been counted all the same.
    async fn identify(&self, method: &Method, headers: &HeaderMap, visit: &Visit) -> Result<Principal, Error> {
        let Inner { limits, access, .. } = &*self.0;
        let standing = limits.before(method.limit(), visit.address).await;
        rate_limit::check(visit.note(standing))?;
        let identified = enforce::identify(access, method, headers, visit.client.clone()).await;
        let nobody = Principal::Anonymous { client: visit.client.clone() };
        let counted = identified.as_ref().unwrap_or(&nobody);
        let standing = limits.after(method.limit(), counted, visit.address).await;
        rate_limit::check(visit.note(standing))?;
        Ok(identified?)
    }

    /// Admits a call and makes its metadata.
    async fn admit(
        &self,
        method: &Method,
        headers: &HeaderMap,
        (principal, message): (&Principal, &prost_reflect::DynamicMessage),
        visit: &Visit,
    ) -> Result<HeaderMap, Error> {
        let voucher = enforce::admit(&self.0.access, method, principal, message).await?;
        Ok(crate::upstream::forwarded(headers, visit.client.request_id, voucher))
    }
}

/// The longest that a call of a class may take.
pub(crate) fn longest(config: &Config, class: Limit) -> Duration {
    Duration::from_millis(if class == Limit::Export { config.export_deadline_ms } else { config.deadline_ms })
}

impl Service<Request<Body>> for Gateway {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().answer(request).map(Ok))
    }
}
