//! Connections that wait, hoard or end.

use std::time::Duration;

use serde_json::json;
use taskman_limits::Quotas;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{World, nobody};

/// Long enough for everything that should happen here, and short enough to notice that it does not.
const SOON: Duration = Duration::from_secs(5);

async fn with_connections(limits: serde_json::Value) -> World {
    let config = serde_json::from_value(json!({"connections": limits})).unwrap();
    World::with(config, Quotas::default()).await
}

/// Sends bytes and returns everything that comes back until the gateway closes.
async fn closed_after(world: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    // A reset is an end, too.
    read.expect("the connection is closed").ok();
    answer
}

#[tokio::test]
async fn a_connection_that_never_says_what_it_speaks_is_closed() {
    let world = with_connections(json!({"preface_ms": 100})).await;
    assert!(closed_after(&world, b"").await.is_empty());
    assert!(closed_after(&world, b"PRI * HT").await.is_empty());
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed() {
    let world = with_connections(json!({"head_ms": 100})).await;
    let answer = closed_after(&world, b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_closed() {
    let world = with_connections(json!({"idle_ms": 200})).await;
    closed_after(&world, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
    // A head that is begun and never ended: HEADERS without END_HEADERS.
    let begun =
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82";
    closed_after(&world, begun).await;
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let world = with_connections(json!({"max_per_address": 2})).await;
    let first = TcpStream::connect(world.address).await.unwrap();
    let mut second = TcpStream::connect(world.address).await.unwrap();
    second.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    tokio::time::timeout(SOON, second.read_exact(&mut begin)).await.unwrap().unwrap();
    assert_eq!(&begin, b"HTTP/1.1 404");
    assert!(closed_after(&world, b"").await.is_empty());
    drop((first, second));
    // The places come back as soon as the gateway sees the ends.
    let deadline = tokio::time::Instant::now() + SOON;
    while nobody().get(world.url("/x")).send().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the places were not given back");
    }
}

#[tokio::test]
async fn a_head_with_too_many_headers_is_refused() {
    let world = World::new().await;
    let headers: String = "x-again: 1\r\n".repeat(200);
    let answer = closed_after(&world, format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_running_request_is_answered_while_the_gateway_stops() {
    let mut world = World::new().await;
    let held = world.users.hold();
    let (client, url) = (world.client(), world.url("/api/v1/users/u1"));
    let running = async { client.get(url).send().await.unwrap().status().as_u16() };
    let stopping = async {
        while world.users.calls() == 0 {
            tokio::task::yield_now().await;
        }
        world.stop.cancel();
        // The gateway is stopping when it takes no more connections: only then the answer may come.
        while TcpStream::connect(world.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        drop(held);
    };
    let (status, ()) = tokio::time::timeout(SOON, async { tokio::join!(running, stopping) }).await.expect("both end");
    assert_eq!(status, 200);
    tokio::time::timeout(SOON, &mut world.served).await.expect("the gateway ends").unwrap();
    assert!(nobody().get(world.url("/x")).send().await.is_err());
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_to_come_back() {
    let config = serde_json::from_value(json!({"requests": {"max_in_flight": 1}})).unwrap();
    let world = World::with(config, Quotas::default()).await;
    let held = world.users.hold();
    let (client, another) = (world.client(), nobody());
    let first = client.get(world.url("/api/v1/users/u1")).send();
    let second = async {
        while world.users.calls() == 0 {
            tokio::task::yield_now().await;
        }
        let refused = another.get(world.url("/x")).send().await;
        drop(held);
        refused
    };
    let (first, second) = tokio::join!(first, second);
    let second = second.unwrap();
    assert_eq!((first.unwrap().status().as_u16(), second.status().as_u16()), (200, 503));
    assert_eq!(second.headers()["retry-after"], "1");
}
