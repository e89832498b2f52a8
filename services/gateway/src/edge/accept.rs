//! The accept loop: bounded connections, each with deadlines that the HTTP libraries do not have.
//!
//! hyper's own timeouts need a timer to be set, its protocol detection waits for ever, and h2 has no timeout for a head
//! that never ends. So the first bytes are read here under a deadline, and an HTTP/2 connection on which no request is
//! under way is closed after a while, whatever it is sending.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::preface::{self, Protocol};
use super::proxies::{self, Proxies};
use crate::config::{Connections, Requests};

/// How long a connection that was told to end may take for its last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// How long to wait when no connection can be accepted, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The other end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What connections are held to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Their own limits.
    pub connections: Connections,
    /// Those of the heads of their requests.
    pub requests: Requests,
    /// Whose addresses are exempt from the limit for each address.
    pub proxies: Proxies,
}

/// Serves a port until `stop`, then lets what runs end. Dropping the future ends all connections at once.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let kill = CancellationToken::new();
    let _killed_with_us = kill.clone().drop_guard();
    let places = Arc::new(Semaphore::new(limits.connections.max));
    let addresses = Addresses::new(limits.connections.max_per_address);
    let limits = Arc::new(limits);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let place = Arc::clone(&places).try_acquire_owned();
        let own = if limits.proxies.trusts(address) { Some(None) } else { addresses.enter(address).map(Some) };
        let (Ok(place), Some(own)) = (place, own) else {
            metrics::counter!("taskman_gateway_connections_refused_total", "service" => "gateway").increment(1);
            continue;
        };
        let (limits, stop, kill, tasks) = (Arc::clone(&limits), stop.clone(), kill.clone(), tasks.clone());
        let connection = Connection { peer, limits, stop, kill, tasks: tasks.clone() };
        let router = router.clone();
        let work = async move {
            connection.serve(stream, router).await;
            drop((place, own));
        };
        tasks.spawn(work.instrument(tracing::Span::current()));
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// How many connections each client has: an IPv4 address, or a /64 of IPv6.
#[derive(Debug, Clone)]
struct Addresses {
    max: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection in the count of its network, until it is dropped.
#[derive(Debug)]
struct Place {
    network: IpAddr,
    addresses: Addresses,
}

impl Addresses {
    fn new(max: usize) -> Self {
        Self { max, open: Arc::default() }
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let network = proxies::network(address);
        let count = open.entry(network).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { network, addresses: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

struct Connection {
    peer: SocketAddr,
    limits: Arc<Limits>,
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl Connection {
    async fn serve(self, stream: TcpStream, router: Router) {
        // Answers are written whole: waiting for more bytes only delays them.
        let _ = stream.set_nodelay(true);
        let preface = Duration::from_millis(self.limits.connections.preface_ms);
        let detected = tokio::select! {
            detected = tokio::time::timeout(preface, preface::detect(stream)) => detected,
            () = self.stop.cancelled() => return,
        };
        let Ok(Ok((protocol, stream))) = detected else { return };
        let activity = Activity::default();
        let (peer, watched) = (Peer(self.peer), activity.clone());
        let service = service_fn(move |request| handle(request, router.clone(), peer, watched.clone()));
        let io = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let connection = self.http1().serve_connection(io, service);
                self.drive(connection, http1::Connection::graceful_shutdown, &activity).await;
            }
            Protocol::Http2 => {
                let connection = self.http2().serve_connection(io, service);
                self.drive(connection, http2::Connection::graceful_shutdown, &activity).await;
            }
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(self.limits.connections.head_ms))
            .max_headers(self.limits.requests.max_headers)
            .max_header_size(self.limits.requests.max_head_bytes);
        builder
    }

    fn http2(&self) -> http2::Builder<Executor> {
        let connections = self.limits.connections;
        let mut builder = http2::Builder::new(Executor(self.tasks.clone()));
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(connections.max_streams)
            .max_header_list_size(u32::try_from(self.limits.requests.max_head_bytes).unwrap_or(u32::MAX))
            // Rapid resets: a handful may be pending, then the connection ends.
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(100)
            .keep_alive_interval(Duration::from_millis(connections.ping_ms))
            .keep_alive_timeout(Duration::from_secs(10));
        builder
    }

    /// Drives a connection to its end: its own, or that of idleness, age, the service or the process.
    async fn drive<C: Future>(&self, connection: C, end: impl Fn(Pin<&mut C>), activity: &Activity) {
        let idle = Duration::from_millis(self.limits.connections.idle_ms);
        let mut connection = pin!(connection);
        let mut checks = tokio::time::interval((idle / 4).max(Duration::from_millis(10)));
        let mut age = pin!(tokio::time::sleep(self.age()));
        let mut last_answers = pin!(tokio::time::sleep(Duration::MAX / 4));
        let mut ending = false;
        loop {
            tokio::select! {
                _ = connection.as_mut() => return,
                () = self.kill.cancelled() => return,
                () = &mut last_answers, if ending => return,
                () = self.stop.cancelled(), if !ending => ending = true,
                () = &mut age, if !ending => ending = true,
                _ = checks.tick(), if !ending => ending = activity.is_idle_for(idle),
            }
            if ending {
                end(connection.as_mut());
                last_answers.as_mut().reset(Instant::now() + LAST_ANSWERS);
                if activity.is_idle_for(idle) {
                    return;
                }
            }
        }
    }

    /// The greatest age of this connection: a tenth more or less than configured, so that not all end at once.
    fn age(&self) -> Duration {
        let share = rand::random_range(0.9..1.1);
        Duration::from_millis(self.limits.connections.max_age_ms).mul_f64(share)
    }
}

/// The requests of one connection.
#[derive(Debug, Clone)]
struct Activity(Arc<Mutex<Requested>>);

#[derive(Debug)]
struct Requested {
    running: usize,
    last: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Requested { running: 0, last: Instant::now() })))
    }
}

impl Activity {
    fn note(&self, change: impl FnOnce(usize) -> usize) {
        let mut requested = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requested.running = change(requested.running);
        requested.last = Instant::now();
    }

    fn is_idle_for(&self, time: Duration) -> bool {
        let requested = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requested.running == 0 && requested.last.elapsed() >= time
    }
}

/// Counts a request as running until it is dropped.
struct InFlight(Activity);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.note(|running| running.saturating_sub(1));
    }
}

async fn handle(
    request: Request<Incoming>,
    router: Router,
    peer: Peer,
    activity: Activity,
) -> Result<Response<Body>, Infallible> {
    activity.note(|running| running + 1);
    let in_flight = InFlight(activity);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await?;
    // The request runs until the last frame of its answer is gone.
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &in_flight;
            frame
        }))
    }))
}

/// Runs the streams of HTTP/2 connections where the end of the service waits for them.
#[derive(Debug, Clone)]
struct Executor(TaskTracker);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn(stream.instrument(tracing::Span::current()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_address_among_connections() {
        let addresses = Addresses::new(1);
        let enter = |text: &str| addresses.enter(text.parse().unwrap());
        let first = enter("2001:db8::1").unwrap();
        assert!(enter("2001:db8::ffff:1").is_none());
        let _others = (enter("2001:db8:0:1::1").unwrap(), enter("192.0.2.1").unwrap(), enter("192.0.2.2").unwrap());
        drop(first);
        assert!(enter("2001:db8::2").is_some());
    }
}
