//! Redis away, silent or back: every answer stays right.

use std::time::{Duration, Instant};

use taskman_ids::CompanyId;

use crate::replicas::{own_redis, profile, read, replica_on, wait_until};

#[tokio::test]
async fn a_redis_that_was_never_there_is_used_once_it_comes() {
    let (_dir, mut redis) = own_redis().await;
    redis.kill().await;
    let company = CompanyId::new();
    let (first, second) = (replica_on(&redis.url()), replica_on(&redis.url()));
    assert_eq!(read(&first, company, Some(profile(1))).await, (Some(profile(1)), 1));
    assert_eq!(read(&second, company, Some(profile(1))).await, (Some(profile(1)), 1));
    redis.restart().await.unwrap();
    wait_until("a write reaches the other replica", async || {
        first.put(company, "ada", &profile(2)).await;
        read(&second, company, None).await == (Some(profile(2)), 0)
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_is_killed_costs_loads_and_comes_back() {
    let (_dir, mut redis) = own_redis().await;
    let (first, second, company) = (replica_on(&redis.url()), replica_on(&redis.url()), CompanyId::new());
    wait_until("the other replica reads from Redis", async || {
        first.put(company, "ada", &profile(1)).await;
        read(&second, company, None).await == (Some(profile(1)), 0)
    })
    .await;
    redis.kill().await;
    first.put(company, "ada", &profile(2)).await;
    assert_eq!(read(&first, company, Some(profile(2))).await, (Some(profile(2)), 1));
    wait_until("the other replica asks the source", async || {
        read(&second, company, Some(profile(2))).await == (Some(profile(2)), 1)
    })
    .await;
    redis.restart().await.unwrap();
    let other = CompanyId::new();
    wait_until("replicas share entries again", async || {
        first.put(other, "ada", &profile(1)).await;
        read(&second, other, None).await == (Some(profile(1)), 0)
    })
    .await;
}

#[tokio::test]
async fn a_write_that_redis_did_not_hear_of_is_not_undone_by_redis() {
    let (_dir, redis) = own_redis().await;
    let (writer, company) = (replica_on(&redis.url()), CompanyId::new());
    writer.put(company, "ada", &profile(1)).await;
    redis.pause();
    // Redis must not find the put in its socket when it goes on: the breaker is open before the write.
    wait_until("the circuit is open", async || {
        let begun = Instant::now();
        let _ = read(&writer, CompanyId::new(), None).await;
        begun.elapsed() < Duration::from_millis(50)
    })
    .await;
    writer.put(company, "ada", &profile(2)).await;
    redis.resume();
    wait_until("the writer's replica reads Redis again", async || {
        let fresh = CompanyId::new();
        read(&writer, fresh, Some(profile(1))).await;
        read(&replica_on(&redis.url()), fresh, None).await == (Some(profile(1)), 0)
    })
    .await;
    assert_eq!(read(&writer, company, Some(profile(2))).await, (Some(profile(2)), 1), "version 1 in Redis is refused");
    assert_eq!(read(&replica_on(&redis.url()), company, None).await, (Some(profile(2)), 0), "and replaced");
}

#[tokio::test]
async fn a_write_that_redis_missed_reaches_the_other_replicas_once_redis_is_back() {
    let (_dir, redis) = own_redis().await;
    let (writer, other, company) = (replica_on(&redis.url()), replica_on(&redis.url()), CompanyId::new());
    writer.put(company, "ada", &profile(1)).await;
    redis.pause();
    wait_until("the circuit is open", async || {
        let begun = Instant::now();
        let _ = read(&writer, CompanyId::new(), None).await;
        begun.elapsed() < Duration::from_millis(50)
    })
    .await;
    writer.put(company, "ada", &profile(2)).await;
    redis.resume();
    // Nobody uses the writer's replica any more: it repeats the write by itself.
    wait_until("the other replica reads version 2", async || {
        read(&other, company, Some(profile(2))).await.0 == Some(profile(2))
    })
    .await;
}

#[tokio::test]
async fn a_silent_redis_soon_costs_nothing() {
    let (_dir, redis) = own_redis().await;
    let cache = replica_on(&redis.url());
    read(&cache, CompanyId::new(), Some(profile(1))).await;
    redis.pause();
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(read(&cache, CompanyId::new(), Some(profile(1))).await, (Some(profile(1)), 1));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "waiting each time would take 80 s: {:?}", begun.elapsed());
    redis.resume();
}
