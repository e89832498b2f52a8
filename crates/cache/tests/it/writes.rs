//! Telling the cache of writes, while others fill it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use taskman_cache::Cache;
use taskman_ids::CompanyId;
use tokio::sync::Notify;

use crate::replicas::{Profiled, profile, read, replica, wait_until};

#[tokio::test]
async fn a_finished_write_is_seen_at_once_here_and_within_a_second_elsewhere() {
    let (writer, other, company) = (replica(), replica(), CompanyId::new());
    for cache in [&writer, &other] {
        read(cache, company, Some(profile(1))).await;
    }
    writer.put(company, "ada", &profile(2)).await;
    assert_eq!(read(&writer, company, None).await, (Some(profile(2)), 0));
    wait_until("the other replica reads version 2", async || {
        read(&other, company, None).await == (Some(profile(2)), 0)
    })
    .await;
}

#[tokio::test]
async fn an_older_version_is_never_put_over_a_newer_one() {
    let (cache, company) = (replica(), CompanyId::new());
    cache.put(company, "ada", &profile(10)).await;
    replica().put(company, "ada", &profile(9)).await;
    assert_eq!(read(&replica(), company, None).await, (Some(profile(10)), 0));
}

/// Starts a read whose source still has version 1, and holds it just before it returns.
async fn stale_read(cache: &Cache, company: CompanyId, began: &Notify, go: &Notify) -> Option<Profiled> {
    let load = async {
        began.notify_one();
        go.notified().await;
        Ok::<_, Infallible>(Some(profile(1)))
    };
    cache.get_or_load(company, "ada", load).await.unwrap().map(|entry| Profiled::clone(&entry))
}

#[tokio::test]
async fn a_filler_that_read_before_a_write_cannot_undo_it() {
    let (writer, other, company) = (replica(), replica(), CompanyId::new());
    for cache in [&writer, &other] {
        let (began, go) = (Notify::new(), Notify::new());
        let writing = async {
            began.notified().await;
            writer.put(company, "ada", &profile(2)).await;
            let reading = tokio::time::timeout(Duration::from_secs(10), read(&writer, company, None));
            assert_eq!(reading.await, Ok((Some(profile(2)), 0)), "nobody joins an older load");
            go.notify_one();
        };
        tokio::join!(stale_read(cache, company, &began, &go), writing);
        assert_eq!(read(cache, company, None).await, (Some(profile(2)), 0));
        assert_eq!(read(&replica(), company, None).await, (Some(profile(2)), 0));
        writer.tombstone::<Profiled>(company, "ada", 2).await;
        wait_until("the other replica forgets", async || read(&other, company, None).await == (None, 1)).await;
    }
}

#[tokio::test]
async fn a_tombstone_forgets_the_record_and_keeps_older_ones_out() {
    let (cache, company) = (replica(), CompanyId::new());
    cache.put(company, "ada", &profile(1)).await;
    cache.tombstone::<Profiled>(company, "ada", 2).await;
    assert_eq!(read(&cache, company, None).await, (None, 1));
    assert_eq!(read(&replica(), company, Some(profile(1))).await.1, 1, "a filler is late");
    assert_eq!(read(&replica(), company, None).await, (None, 1), "and left nothing behind");
    assert_eq!(read(&replica(), company, Some(profile(2))).await.1, 1);
    assert_eq!(read(&replica(), company, None).await, (Some(profile(2)), 0), "the new version replaces the tombstone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versions_never_go_back_while_many_fill_and_one_writes() {
    const LAST: i64 = 300;
    let (company, source, done) = (CompanyId::new(), AtomicI64::new(0), AtomicBool::new(false));
    let (writer, other) = (replica(), replica());
    let writing = async {
        for version in 1..=LAST {
            source.store(version, Ordering::SeqCst);
            writer.put(company, "ada", &profile(version)).await;
            let (seen, _) = read(&writer, company, Some(profile(version))).await;
            assert_eq!(seen, Some(profile(version)), "the writer's replica sees each finished write");
        }
        done.store(true, Ordering::SeqCst);
    };
    let filling = |cache: &Cache| {
        let cache = cache.clone();
        let (source, done) = (&source, &done);
        async move {
            let mut newest = 0;
            while !done.load(Ordering::SeqCst) {
                let load = async {
                    let version = source.load(Ordering::SeqCst);
                    tokio::task::yield_now().await; // what was read grows old
                    Ok::<_, Infallible>((version > 0).then(|| profile(version)))
                };
                if let Some(seen) = cache.get_or_load(company, "ada", load).await.unwrap() {
                    assert!(seen.version >= newest, "{} after {newest}", seen.version);
                    newest = seen.version;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::join!(writing, filling(&writer), filling(&writer), filling(&other), filling(&other), filling(&replica()));
    assert_eq!(read(&replica(), company, None).await, (Some(profile(LAST)), 0), "Redis ends with the last version");
}

#[tokio::test]
async fn a_passenger_of_an_older_load_may_see_the_older_record_but_nobody_later_does() {
    let (cache, company, began, go) = (replica(), CompanyId::new(), Notify::new(), Notify::new());
    let mut early = Box::pin(stale_read(&cache, company, &began, &go));
    wait_until("the load begins", async || {
        early.as_mut().now_or_never();
        began.notified().now_or_never().is_some()
    })
    .await;
    cache.put(company, "ada", &profile(2)).await;
    go.notify_one();
    early.await;
    assert_eq!(read(&cache, company, None).await, (Some(profile(2)), 0));
}
