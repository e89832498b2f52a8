//! Reading through the cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use taskman_cache::{Cache, Config};
use taskman_ids::CompanyId;
use tokio::sync::Notify;

use crate::replicas::{Profiled, profile, read, replica};

#[tokio::test]
async fn a_record_is_loaded_once_and_then_found_in_memory_and_in_redis() {
    let (first, second, company) = (replica(), replica(), CompanyId::new());
    assert_eq!(read(&first, company, Some(profile(1))).await, (Some(profile(1)), 1));
    assert_eq!(read(&first, company, None).await, (Some(profile(1)), 0));
    assert_eq!(read(&second, company, None).await, (Some(profile(1)), 0));
}

#[tokio::test]
async fn what_is_not_there_is_looked_for_again() {
    let (cache, company) = (replica(), CompanyId::new());
    assert_eq!(read(&cache, company, None).await, (None, 1));
    assert_eq!(read(&cache, company, Some(profile(1))).await, (Some(profile(1)), 1));
}

#[tokio::test]
async fn companies_never_share_a_key() {
    let (cache, ours, theirs) = (replica(), CompanyId::new(), CompanyId::new());
    read(&cache, ours, Some(profile(1))).await;
    assert_eq!(read(&cache, theirs, None).await, (None, 1));
    let reaching = format!("{ours}:ada");
    let found = cache.get_or_load(theirs, &reaching, async { Ok::<Option<Profiled>, ()>(None) }).await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn without_redis_memory_alone_works() {
    let (cache, company) = (Cache::new(&Config::default(), "user").unwrap(), CompanyId::new());
    assert!(cache.redis().is_none());
    assert_eq!(read(&cache, company, Some(profile(1))).await, (Some(profile(1)), 1));
    assert_eq!(read(&cache, company, None).await, (Some(profile(1)), 0));
}

#[tokio::test]
async fn many_readers_of_one_record_load_it_once() {
    let (cache, company, loads, go) = (replica(), CompanyId::new(), AtomicU32::new(0), Notify::new());
    let reader = || async {
        let load = async {
            loads.fetch_add(1, Ordering::Relaxed);
            go.notified().await;
            Ok::<_, ()>(Some(profile(1)))
        };
        cache.get_or_load(company, "ada", load).await.unwrap().unwrap()
    };
    let readers = join_all((0..100).map(|_| reader()));
    let ((), found) = tokio::join!(async { go.notify_one() }, readers);
    assert!(found.iter().all(|entry| Arc::ptr_eq(entry, &found[0])));
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_error_of_a_load_goes_to_its_caller_and_the_others_load_again() {
    let (cache, company, loads) = (replica(), CompanyId::new(), AtomicU32::new(0));
    let reader = || {
        cache.get_or_load(company, "ada", async {
            match loads.fetch_add(1, Ordering::Relaxed) {
                0 => Err("away"),
                _ => Ok(Some(profile(1))),
            }
        })
    };
    let outcomes = join_all((0..10).map(|_| reader())).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
    assert_eq!(loads.load(Ordering::Relaxed), 2, "one of the others took over for the rest");
}

#[tokio::test]
async fn a_reader_that_gives_up_does_not_take_the_others_along() {
    let (cache, company) = (replica(), CompanyId::new());
    let hanging = cache.get_or_load(company, "ada", std::future::pending::<Result<Option<Profiled>, ()>>());
    let mut hanging = Box::pin(hanging);
    assert!(hanging.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(read(&cache, company, Some(profile(1))));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(hanging);
    assert_eq!(waiting.await, (Some(profile(1)), 1));
}

#[tokio::test]
async fn what_somebody_else_wrote_under_our_key_is_replaced() {
    let (cache, company) = (replica(), CompanyId::new());
    let key = format!("user:profile:{company}:ada");
    for foreign in ["nonsense", "5\n{\"shape\": \"of another release\", \"version\": 5}", "7\n", "x\n{}"] {
        let redis = cache.redis().unwrap();
        redis.call(async |to| redis::cmd("SET").arg(&key).arg(foreign).query_async::<()>(to).await).await.unwrap();
        assert_eq!(read(&replica(), company, Some(profile(7))).await, (Some(profile(7)), 1), "{foreign}");
        assert_eq!(read(&replica(), company, None).await, (Some(profile(7)), 0), "{foreign}");
    }
}

#[tokio::test]
async fn hits_and_misses_are_counted_by_tier() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let (first, second, company) = (replica(), replica(), CompanyId::new());
    read(&first, company, Some(profile(1))).await; // misses both
    read(&first, company, None).await; // hits memory
    read(&second, company, None).await; // misses memory, hits Redis
    let text = recorder.handle().render();
    for (name, tier, count) in
        [("hits", "memory", 1), ("hits", "redis", 1), ("misses", "memory", 2), ("misses", "redis", 1)]
    {
        let line = format!("taskman_cache_{name}_total{{service=\"user\",kind=\"profile\",tier=\"{tier}\"}} {count}");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}
