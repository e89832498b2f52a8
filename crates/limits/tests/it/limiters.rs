//! Limiters of several replicas on one Redis.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use taskman_cache::RedisHandle;
use taskman_devstack::{Endpoints, STACK_VARIABLE};
use taskman_limits::{Config, Limiter, Quota};

#[expect(clippy::disallowed_methods, reason = "the stack hands its address to tests by environment")]
fn redis_url() -> String {
    let file = std::env::var(STACK_VARIABLE).expect("run with: devstack exec --profile test -- cargo test");
    Endpoints::read(Path::new(&file)).unwrap().redis_url
}

fn config(url: &str) -> Config {
    // Loaded machines are slow, and these tests want Redis' count whatever it takes.
    Config { url: Some(SecretString::from(url)), response_timeout_ms: 5_000, ..Config::default() }
}

pub(crate) fn limiter_on(url: &str) -> Limiter {
    Limiter::new(&config(url), "gateway").unwrap()
}

pub(crate) fn limiter() -> Limiter {
    limiter_on(&redis_url())
}

/// The connection to the stack's Redis, to look behind the limiter.
pub(crate) fn redis() -> RedisHandle {
    RedisHandle::prepare(&config(&redis_url()), "test").unwrap().unwrap()
}

pub(crate) fn quota(per_minute: u32, burst: u32) -> Quota {
    let number = |number| NonZeroU32::new(number).unwrap();
    Quota { class: "read", per_minute: number(per_minute), burst: number(burst) }
}

/// A key that no other test uses.
pub(crate) fn key() -> String {
    taskman_ids::new_uuid().to_string()
}

/// Repeats `step` until it says true, for at most ten seconds.
pub(crate) async fn wait_until(what: &str, mut step: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !step().await {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
