//! What Redis counts.

use std::time::{Duration, Instant};

use futures::future::join_all;
use taskman_errors::{Failure, Kind};

use crate::limiters::{key, limiter, quota, redis, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn several_limiters_at_once_let_through_exactly_the_burst() {
    let (limiters, key, quota) = ([limiter(), limiter(), limiter(), limiter()], key(), quota(1, 37));
    let calls = (0..200).map(|call| limiters[call % 4].check(&quota, &key));
    let verdicts = join_all(calls).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.allowed).count(), 37);
    let mut left: Vec<u32> =
        verdicts.iter().filter(|verdict| verdict.allowed).map(|verdict| verdict.remaining).collect();
    left.sort_unstable();
    assert_eq!(left, (0..37).collect::<Vec<u32>>(), "each call saw its own count");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let (limiter, key, quota) = (limiter(), key(), quota(2, 3));
    for left in [2, 1, 0] {
        let verdict = limiter.check(&quota, &key).await.into_result().unwrap();
        assert_eq!((verdict.remaining, verdict.limit, verdict.retry_after), (left, 3, Duration::ZERO));
    }
    let refused = limiter.check(&quota, &key).await;
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert!(refused.retry_after > Duration::from_secs(20) && refused.retry_after <= Duration::from_secs(30));
    assert!(refused.reset > Duration::from_secs(80) && refused.reset <= Duration::from_secs(90), "{refused:?}");
    let error = refused.into_result().unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Exhausted, "RATE_LIMITED"));
    assert_eq!(Failure::retry_after(&error), Some(refused.retry_after));
}

#[tokio::test]
async fn a_limit_refills_steadily() {
    let (limiter, key, quota) = (limiter(), key(), quota(600, 1));
    let begun = Instant::now();
    let mut allowed = 0;
    wait_until("ten calls were let through", async || {
        allowed += u32::from(limiter.check(&quota, &key).await.allowed);
        allowed == 10
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "one per 100 ms: {:?}", begun.elapsed());
}

#[tokio::test]
async fn refused_calls_do_not_prolong_the_wait() {
    let (limiter, key, quota) = (limiter(), key(), quota(1, 1));
    limiter.check(&quota, &key).await;
    let first = limiter.check(&quota, &key).await.retry_after;
    for _ in 0..50 {
        assert!(limiter.check(&quota, &key).await.retry_after <= first);
    }
}

#[tokio::test]
async fn keys_and_classes_are_counted_apart() {
    let (limiter, key, other, one) = (limiter(), key(), key(), quota(1, 1));
    let write = taskman_limits::Quota { class: "write", ..one };
    assert!(limiter.check(&one, &key).await.allowed);
    assert!(!limiter.check(&one, &key).await.allowed);
    assert!(limiter.check(&one, &other).await.allowed);
    assert!(limiter.check(&write, &key).await.allowed);
}

#[tokio::test]
async fn a_key_is_gone_from_redis_when_everything_is_paid_for() {
    let (limiter, key) = (limiter(), key());
    let name = format!("gateway:limit:read:{key}");
    limiter.check(&quota(60_000, 10), &key).await;
    wait_until("the key expires", async || {
        redis().call(async |to| redis::cmd("EXISTS").arg(&name).query_async::<u32>(to).await).await == Some(0)
    })
    .await;
    limiter.check(&quota(60, 10), &key).await;
    let left: i64 = redis().call(async |to| redis::cmd("PTTL").arg(&name).query_async(to).await).await.unwrap();
    assert!((1..=1_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_lowered_limit_or_a_foreign_value_locks_nobody_out() {
    let (limiter, key) = (limiter(), key());
    let name = format!("gateway:limit:read:{key}");
    for wrong in ["9000000000000000", "nonsense", ""] {
        redis().call(async |to| redis::cmd("SET").arg(&name).arg(wrong).query_async::<()>(to).await).await.unwrap();
        let verdict = limiter.check(&quota(600, 5), &key).await;
        assert!(verdict.retry_after <= Duration::from_millis(100), "{wrong}: {verdict:?}");
        assert!(verdict.reset <= Duration::from_millis(500), "{wrong}: {verdict:?}");
    }
}
