//! Redis away and back: limits go on to hold.

use std::time::{Duration, Instant};

use taskman_devstack::{Profile, Redis};
use taskman_limits::{Config, Limiter};

use crate::limiters::{key, limiter_on, quota, wait_until};

#[tokio::test]
async fn without_redis_a_process_counts_alone() {
    let (limiter, key, quota) = (Limiter::new(&Config::default(), "gateway").unwrap(), key(), quota(1, 3));
    let mut allowed = 0;
    for _ in 0..10 {
        allowed += u32::from(limiter.check(&quota, &key).await.allowed);
    }
    assert_eq!(allowed, 3);
}

#[tokio::test]
async fn limits_hold_locally_while_redis_is_dead_and_together_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut redis = Redis::start(dir.path().join("redis"), Profile::Test).await.unwrap();
    let (first, second, quota) = (limiter_on(&redis.url()), limiter_on(&redis.url()), quota(1, 5));
    let together = key();
    for _ in 0..5 {
        assert!(first.check(&quota, &together).await.allowed);
    }
    assert!(!second.check(&quota, &together).await.allowed, "they count together");

    redis.kill().await;
    let alone = key();
    for limiter in [&first, &second] {
        let begun = Instant::now();
        let mut allowed = 0;
        for _ in 0..50 {
            allowed += u32::from(limiter.check(&quota, &alone).await.allowed);
        }
        assert_eq!(allowed, 5, "each counts for itself");
        assert!(begun.elapsed() < Duration::from_secs(5), "a dead Redis costs little: {:?}", begun.elapsed());
    }

    redis.restart().await.unwrap();
    wait_until("they count together again", async || {
        let key = key();
        for _ in 0..5 {
            first.check(&quota, &key).await;
        }
        !second.check(&quota, &key).await.allowed
    })
    .await;
}
