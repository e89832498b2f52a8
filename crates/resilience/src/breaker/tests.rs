//! The breaker in front of services that answer as a gRPC peer does.

use std::sync::atomic::{AtomicU32, Ordering};

use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::metadata::MetadataMap;

use super::*;

/// A breaker that stays open for as long as a test may take.
fn lasting(service: &'static str, peer: &'static str) -> BreakerLayer {
    let wait = Duration::from_mins(10);
    BreakerLayer::with_settings(
        service,
        peer,
        Settings { shortest_wait: wait, longest_wait: wait, ..Settings::default() },
    )
}

type Handler = fn() -> Result<Response<Body>, BoxError>;

/// A peer that answers as `handler` does, behind a breaker, and the count of calls that reached it.
fn peer(
    layer: &BreakerLayer,
    handler: Handler,
) -> (impl Service<Request<()>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone, Arc<AtomicU32>) {
    let reached = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&reached);
    let service = tower::service_fn(move |_: Request<()>| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(handler())
    });
    (layer.layer(service), reached)
}

/// Calls once and reads the answer to its end.
async fn call<S>(service: &S) -> Result<Response<()>, BoxError>
where
    S: Service<Request<()>, Response = Response<Body>, Error = BoxError> + Clone,
{
    let (head, body) = service.clone().oneshot(Request::new(())).await?.into_parts();
    body.collect().await?;
    Ok(Response::from_parts(head, ()))
}

fn in_headers(code: Code) -> Response<Body> {
    Status::new(code, "").into_http()
}

fn in_trailers(code: Code) -> Result<Response<Body>, BoxError> {
    let mut trailers = http::HeaderMap::new();
    Status::with_metadata(code, "", MetadataMap::new()).add_header(&mut trailers)?;
    let frames = [Ok::<_, Status>(Frame::data(Bytes::from_static(b"message"))), Ok(Frame::trailers(trailers))];
    Ok(Response::new(Body::new(StreamBody::new(futures::stream::iter(frames)))))
}

#[tokio::test]
async fn an_open_circuit_answers_at_once_with_the_time_to_come_back() {
    let layer = lasting("task", "user");
    let (service, reached) = peer(&layer, || Err("connection refused".into()));
    for _ in 0..5 {
        assert!(call(&service).await.is_err());
    }
    let answer = call(&service).await.expect("the breaker answers itself");
    let status = Status::from_header_map(answer.headers()).expect("a status without a body");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "user: circuit open"));
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    assert!(delay.is_some_and(|delay| delay > Duration::ZERO && delay <= Duration::from_mins(10)), "{delay:?}");
    assert_eq!(reached.load(Ordering::SeqCst), 5, "the peer was left alone");
}

#[tokio::test]
async fn failures_in_the_headers_open_it_after_twenty_calls() {
    let layer = lasting("task", "user");
    let (service, reached) = peer(&layer, || Ok(in_headers(Code::Internal)));
    for _ in 0..25 {
        assert!(call(&service).await.is_ok());
    }
    assert_eq!(reached.load(Ordering::SeqCst), 20);
    assert_eq!(layer.state(), State::Open);
}

#[tokio::test]
async fn failures_in_the_trailers_count_the_same() {
    let layer = lasting("task", "user");
    let (service, reached) = peer(&layer, || in_trailers(Code::Unavailable));
    for _ in 0..25 {
        assert!(call(&service).await.is_ok());
    }
    assert_eq!(reached.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn refusals_that_blame_the_request_never_open_it() {
    let layer = lasting("task", "user");
    let (service, reached) = peer(&layer, || Ok(in_headers(Code::NotFound)));
    let (streams, _) = peer(&layer, || in_trailers(Code::PermissionDenied));
    for _ in 0..50 {
        assert!(call(&service).await.is_ok());
        assert!(call(&streams).await.is_ok());
    }
    assert_eq!(reached.load(Ordering::SeqCst), 50);
    assert_eq!(layer.state(), State::Closed);
}

#[tokio::test]
async fn streams_that_break_off_count_without_being_nobody_there() {
    let layer = lasting("task", "user");
    let (service, reached) = peer(&layer, || {
        let frames = [Ok(Frame::data(Bytes::from_static(b"message"))), Err(std::io::Error::other("reset"))];
        Ok(Response::new(Body::new(StreamBody::new(futures::stream::iter(frames)))))
    });
    for _ in 0..20 {
        assert!(call(&service).await.is_err());
    }
    assert_eq!(reached.load(Ordering::SeqCst), 20, "five in a row are not enough");
    assert_eq!(layer.state(), State::Open);
}

#[tokio::test]
async fn streams_given_up_by_the_reader_are_no_failures() {
    let settings = Settings { abandoned_after: Duration::ZERO, ..Settings::default() };
    let layer = BreakerLayer::with_settings("task", "authorization", settings);
    let endless: Handler = || {
        let frames = futures::stream::pending::<Result<Frame<Bytes>, Status>>();
        Ok(Response::new(Body::new(StreamBody::new(frames))))
    };
    let (service, _) = peer(&layer, endless);
    for _ in 0..40 {
        drop(service.clone().oneshot(Request::new(())).await);
    }
    assert_eq!(layer.state(), State::Closed);
}

#[tokio::test]
async fn a_peer_that_is_back_closes_it_after_three_probes() {
    let wait = Duration::from_millis(2);
    let settings = Settings { shortest_wait: wait, longest_wait: wait, ..Settings::default() };
    let layer = BreakerLayer::with_settings("task", "user", settings);
    let (dead, _) = peer(&layer, || Err("connection refused".into()));
    for _ in 0..5 {
        assert!(call(&dead).await.is_err());
    }
    let (back, reached) = peer(&layer, || in_trailers(Code::Ok));
    tokio::time::timeout(Duration::from_secs(10), async {
        while layer.state() != State::Closed {
            assert!(call(&back).await.is_ok());
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the circuit closes");
    assert_eq!(reached.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_dead_port_opens_the_circuit_of_a_real_channel() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let endpoint = tonic::transport::Endpoint::try_from(format!("http://{free}")).expect("an address");
    let layer = lasting("task", "user");
    let channel = layer.layer(endpoint.connect_lazy());
    let request = || Request::builder().uri("/x.Y/Z").method("POST").body(Body::empty()).expect("a request");
    for _ in 0..5 {
        assert!(channel.clone().oneshot(request()).await.is_err());
    }
    let answer = channel.oneshot(request()).await.expect("the breaker answers itself");
    assert_eq!(Status::from_header_map(answer.headers()).map(|status| status.code()), Some(Code::Unavailable));
}

#[tokio::test]
async fn a_generated_client_talks_through_it_to_a_real_server() {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("known", tonic_health::ServingStatus::Serving).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(health).serve_with_incoming(incoming);

    let layer = BreakerLayer::new("task", "user");
    let endpoint = tonic::transport::Endpoint::try_from(format!("http://{address}")).expect("an address");
    let mut client = tonic_health::pb::health_client::HealthClient::new(layer.layer(endpoint.connect_lazy()));
    let ask = |service: &str| tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
    let talk = async {
        for _ in 0..30 {
            assert!(client.check(ask("known")).await.is_ok());
            let missing = client.check(ask("unknown")).await.expect_err("there is no such service");
            assert_eq!(missing.code(), Code::NotFound);
        }
        let mut stream = client.watch(ask("known")).await.expect("a stream").into_inner();
        assert!(stream.message().await.expect("an answer").is_some());
    };
    tokio::select! {
        () = talk => {}
        ended = server => panic!("the server ended: {ended:?}"),
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("no answer in time"),
    }
    assert_eq!(layer.state(), State::Closed);
}
