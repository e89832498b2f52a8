//! Single flight: who asks the same at the same time shares one answer. Nothing is remembered.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use taskman_resilience::deadline::Deadline;
use taskman_rpc::UpstreamError;
use tonic::Status;

/// At most so many questions are shared at once; more are asked singly.
const MAX_FLIGHTS: u64 = 10_000;
/// The answer is dropped when the first who waited for it has it; this is for the case that nobody is left.
const FORGET_AFTER: Duration = Duration::from_millis(20);

/// The questions that are on their way.
#[derive(Debug, Clone)]
pub(crate) struct SingleFlight<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(Cache<K, V>);

impl<K, V> SingleFlight<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(MAX_FLIGHTS).time_to_live(FORGET_AFTER).build())
    }

    /// Asks with `ask`, or waits for the answer to the same question, at most `patience`. Each has a patience of its own:
    /// when the one who asks gives up, another who still waits asks. Who has too little to ask at all fails alone, so that
    /// the refusal is not taken for the answer of those who have more.
    pub(crate) async fn ask(
        &self,
        key: K,
        patience: Duration,
        ask: impl Future<Output = Result<V, UpstreamError>> + Send,
    ) -> Result<V, Arc<UpstreamError>> {
        let too_late = || Err(Arc::new(UpstreamError::from(Status::deadline_exceeded("no answer in time"))));
        if patience < Deadline::HOP {
            return too_late();
        }
        let asked = tokio::time::timeout(patience, Box::pin(self.0.try_get_with(key.clone(), ask))).await;
        match asked {
            Ok(answer) => {
                self.0.invalidate(&key).await;
                answer
            }
            Err(_) => too_late(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn equal_questions_at_the_same_time_are_asked_once_and_not_remembered() {
        let (flights, asked) = (SingleFlight::<u8, u8>::new(), AtomicUsize::new(0));
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(7)
        };
        let patience = Duration::from_secs(5);
        let (one, two) = tokio::join!(flights.ask(1, patience, ask()), flights.ask(1, patience, ask()));
        assert_eq!((one.unwrap(), two.unwrap(), asked.load(Ordering::Relaxed)), (7, 7, 1));
        flights.ask(1, patience, ask()).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_has_no_time_left_does_not_ask() {
        let flights = SingleFlight::<u8, u8>::new();
        let (first, second) = tokio::join!(
            flights.ask(1, Duration::ZERO, async { Err(Status::deadline_exceeded("refused").into()) }),
            flights.ask(1, Duration::from_secs(5), async { Ok(7) }),
        );
        assert!(first.is_err());
        assert_eq!(second.unwrap(), 7);
    }

    #[tokio::test]
    async fn another_who_waits_asks_when_the_first_gives_up() {
        let flights = SingleFlight::<u8, u8>::new();
        let (first, second) = tokio::join!(
            flights.ask(1, Duration::from_millis(10), std::future::pending()),
            flights.ask(1, Duration::from_secs(5), async { Ok(7) }),
        );
        assert!(first.is_err());
        assert_eq!(second.unwrap(), 7);
    }
}
