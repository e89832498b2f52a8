//! Tasks of a service besides its requests: named, tracked, stopped, and never silently dead.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work that goes on beside the requests until the service stops.
pub struct Job {
    name: &'static str,
    run: Box<dyn FnOnce(CancellationToken) -> BoxFuture<()> + Send>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Job {
    /// Makes a job that runs until its token is cancelled.
    pub fn run<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: FnOnce(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self { name, run: Box::new(move |stop| Box::pin(run(stop))) }
    }

    /// Makes a job that does `work` now and then once in each `period`. A failure is logged and the next turn tries again;
    /// a turn that is still running when the service stops is dropped at its next await.
    pub fn every<F, Fut, E>(name: &'static str, period: Duration, work: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display + Send,
    {
        Self::run(name, move |stop| async move {
            let mut turns = tokio::time::interval(period);
            turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(turns.tick()).await.is_some() {
                match stop.run_until_cancelled(work()).await {
                    Some(Err(error)) => tracing::warn!(job = name, %error, "a turn of a job failed"),
                    Some(Ok(())) => {}
                    None => return,
                }
            }
        })
    }
}

/// Running tasks of one service, which end together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    /// Ends what did not end by itself in time.
    cut: CancellationToken,
    dead: Arc<AtomicUsize>,
}

impl Tasks {
    /// Makes another group of tasks of the same service: it ends for itself, its dead are counted together.
    pub(crate) fn group(&self) -> Self {
        Self { dead: Arc::clone(&self.dead), ..Self::default() }
    }

    /// Starts a job in the span of its service.
    pub(crate) fn start(&self, job: Job, stop: CancellationToken) {
        self.spawn(job.name, (job.run)(stop));
    }

    /// Runs `work` as a tracked task called `name`.
    pub(crate) fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let (dead, cut) = (Arc::clone(&self.dead), self.cut.clone());
        let watched = async move {
            let work = cut.run_until_cancelled(std::panic::AssertUnwindSafe(work).catch_unwind());
            if work.await.is_some_and(|ended| ended.is_err()) {
                dead.fetch_add(1, Ordering::Relaxed);
                tracing::error!(job = name, "a task panicked and is gone");
            }
        };
        self.tracker.spawn(watched.in_current_span());
    }

    /// Runs `work`, which must not end before `stop` is cancelled, as a tracked task called `name`.
    pub(crate) fn keep(
        &self,
        name: &'static str,
        stop: &CancellationToken,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let (dead, stop) = (Arc::clone(&self.dead), stop.clone());
        self.spawn(name, async move {
            work.await;
            if !stop.is_cancelled() {
                dead.fetch_add(1, Ordering::Relaxed);
                tracing::error!(job = name, "a task ended before its time");
            }
        });
    }

    /// Says how many tasks of all groups have panicked or ended before their time; such a service is not healthy.
    pub(crate) fn dead(&self) -> usize {
        self.dead.load(Ordering::Relaxed)
    }

    /// Waits until all have ended, at most `patience`; says whether they have. What has not is dropped, so that nothing can
    /// keep a process from its end.
    pub(crate) async fn ended(&self, patience: Duration) -> bool {
        self.tracker.close();
        let in_time = tokio::time::timeout(patience, self.tracker.wait()).await.is_ok();
        self.cut.cancel();
        in_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failing_turn_does_not_end_the_job() {
        let (turns, stop, tasks) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new(), Tasks::default());
        let counted = Arc::clone(&turns);
        let job = Job::every("test", Duration::from_secs(1), move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Err::<(), _>("no luck") }
        });
        tasks.start(job, stop.clone());
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        assert_eq!(turns.load(Ordering::Relaxed), 4);
        stop.cancel();
        assert!(tasks.ended(Duration::from_secs(1)).await);
    }

    #[tokio::test]
    async fn a_panic_is_counted() {
        let tasks = Tasks::default();
        tasks.start(Job::run("test", |_| async { panic!("on purpose") }), CancellationToken::new());
        assert!(tasks.ended(Duration::from_secs(1)).await);
        assert_eq!(tasks.dead(), 1);
    }

    #[tokio::test]
    async fn a_port_that_ends_before_its_time_is_counted_in_every_group() {
        let (tasks, stop) = (Tasks::default(), CancellationToken::new());
        let ports = tasks.group();
        ports.keep("early", &stop, async {});
        assert!(ports.ended(Duration::from_secs(1)).await);
        assert_eq!(tasks.dead(), 1);
        let relays = tasks.group();
        relays.keep("in time", &stop, stop.clone().cancelled_owned());
        stop.cancel();
        assert!(relays.ended(Duration::from_secs(1)).await);
        assert_eq!(tasks.dead(), 1);
    }
}
