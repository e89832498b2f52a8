//! Replicas of a service that share a Redis, and the record they cache.

use std::cell::Cell;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use taskman_cache::{Cache, Config, Entry};
use taskman_devstack::{Endpoints, Profile, Redis, STACK_VARIABLE};
use taskman_ids::CompanyId;
use tempfile::TempDir;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profiled {
    pub(crate) name: String,
    pub(crate) version: i64,
}

impl Entry for Profiled {
    const KIND: &'static str = "profile";
    const TTL: Duration = Duration::from_mins(1);

    fn version(&self) -> i64 {
        self.version
    }
}

pub(crate) fn profile(version: i64) -> Profiled {
    Profiled { name: format!("version {version}"), version }
}

#[expect(clippy::disallowed_methods, reason = "the stack hands its address to tests by environment")]
pub(crate) fn redis_url() -> String {
    let file = std::env::var(STACK_VARIABLE).expect("run with: devstack exec --profile test -- cargo test");
    Endpoints::read(Path::new(&file)).unwrap().redis_url
}

/// A replica of the service `user` on the Redis at `url`, which it soon does without.
pub(crate) fn replica_on(url: &str) -> Cache {
    replica_with(url, 400)
}

/// A replica on the stack's Redis; companies are new in each test, so no two tests share a key. It waits for Redis
/// however slow the machine is, because these tests are about what Redis holds.
pub(crate) fn replica() -> Cache {
    replica_with(&redis_url(), 10_000)
}

fn replica_with(url: &str, response_timeout_ms: u64) -> Cache {
    let url = Some(SecretString::from(url));
    Cache::new(&Config { url, response_timeout_ms, ..Config::default() }, "user").unwrap()
}

/// A Redis that the test may do harm to.
pub(crate) async fn own_redis() -> (TempDir, Redis) {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path().join("redis"), Profile::Test).await.unwrap();
    (dir, redis)
}

/// Reads through the cache; says what was found and how often the source was asked.
pub(crate) async fn read(cache: &Cache, company: CompanyId, source: Option<Profiled>) -> (Option<Profiled>, u32) {
    let loads = Cell::new(0);
    let found: Option<Arc<Profiled>> = cache
        .get_or_load(company, "ada", async {
            loads.set(loads.get() + 1);
            Ok::<_, Infallible>(source)
        })
        .await
        .unwrap();
    (found.map(|entry| Profiled::clone(&entry)), loads.get())
}

/// Repeats `step` until it says true, for at most ten seconds.
pub(crate) async fn wait_until(what: &str, mut step: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !step().await {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
