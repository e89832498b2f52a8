//! Waits for facts instead of sleeping.

use std::time::{Duration, Instant};

/// How long a fact may take on a loaded machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `look` finds something, and returns it.
pub async fn wait_for<T, F, Fut>(what: &str, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until `holds` says yes.
pub async fn wait_until<F, Fut>(what: &str, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let look = || {
        let holds = holds();
        async move { holds.await.then_some(()) }
    };
    wait_for(what, look).await;
}
