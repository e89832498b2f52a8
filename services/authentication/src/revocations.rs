//! Tells every process that verifies tokens, and this one, which tokens ended before their time.
//!
//! One task looks for new revocations: at once when this replica made some, and ten times a second for those of others.
//! The streams wait for what it finds. A heartbeat follows a look that succeeded: while the database is away there is
//! none, and those who verify tokens know that they may have missed something.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use taskman_clock::SharedClock;
use taskman_identity::{Revocation, RevocationList};
use taskman_postgres::Db;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::{metrics, store};

/// How often revocations of other replicas are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long one look may take; none is better than an old one.
const PATIENCE: Duration = Duration::from_secs(1);
/// A heartbeat comes with the first look after this, so twice a second.
const BEAT_AFTER: Duration = Duration::from_millis(400);
/// How often expired revocations are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// How many are read at once.
const PAGE: i64 = 1_000;

/// What a stream of revocations carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    /// A revocation.
    Revocation(Revocation),
    /// The newest position at this moment.
    Heartbeat(i64),
}

/// The revocations as they come.
#[derive(Debug)]
pub(crate) struct Feed {
    db: Db,
    clock: SharedClock,
    /// What this process's own verifier consults.
    list: RevocationList,
    /// The newest position, sent anew with each look.
    head: watch::Sender<Option<i64>>,
    committed: Notify,
    stopping: CancellationToken,
}

impl Feed {
    /// Makes the feed of a database, which also fills `list`. Streams end when `stopping` is cancelled.
    pub(crate) fn new(db: Db, clock: SharedClock, list: RevocationList, stopping: CancellationToken) -> Self {
        Self { db, clock, list, head: watch::Sender::new(None), committed: Notify::new(), stopping }
    }

    /// Says that revocations were committed.
    pub(crate) fn committed(&self) {
        self.committed.notify_one();
    }

    /// Looks for revocations until stopped.
    pub(crate) async fn follow(&self, stop: CancellationToken) {
        let mut turns = tokio::time::interval(LOOK_EVERY);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut forgotten = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turns.tick() => {}
                () = self.committed.notified() => {}
            }
            match stop.run_until_cancelled(self.look()).await {
                Some(Ok(head)) => {
                    metrics::revocation_head(head);
                    self.head.send_replace(Some(head));
                }
                Some(Err(error)) => tracing::debug!(%error, "revocations cannot be read"),
                None => return,
            }
            if forgotten.elapsed() > FORGET_EVERY {
                forgotten = Instant::now();
                self.list.forget(self.clock.now());
            }
        }
    }

    /// Brings the own list up to date and returns the newest position.
    async fn look(&self) -> Result<i64, Error> {
        let asked = std::time::Instant::now();
        let head = self.head().await?;
        let mut position = self.list.position();
        while position < head {
            for revocation in self.after(position).await? {
                self.list.apply(revocation);
            }
            let applied = self.list.position();
            if applied == position {
                // The list is full: it says that it is not fresh.
                break;
            }
            position = applied;
        }
        self.list.heartbeat(head, asked);
        Ok(head)
    }

    async fn head(&self) -> Result<i64, Error> {
        within(store::revocation::head(self.db.primary())).await
    }

    async fn after(&self, position: i64) -> Result<Vec<Revocation>, Error> {
        within(store::revocation::list(self.db.primary(), position, PAGE)).await
    }

    /// Returns the revocations after `since`, then each new one, with heartbeats; without an end while the service runs.
    pub(crate) fn watch(self: &Arc<Self>, since: i64) -> impl Stream<Item = Item> + Send + 'static {
        // What was last seen may be old; the first heartbeat comes with the next look at the database.
        let heads = self.head.subscribe();
        let watcher = Watcher {
            feed: Arc::clone(self),
            heads,
            since,
            ready: VecDeque::new(),
            looked: None,
            beat_at: Instant::now(),
        };
        let items =
            futures::stream::unfold(watcher, |mut watcher| async move { Some((watcher.next().await?, watcher)) });
        items.take_until(self.stopping.clone().cancelled_owned())
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| Error::Database(taskman_postgres::Error::Timeout))?
}

/// One stream.
struct Watcher {
    feed: Arc<Feed>,
    heads: watch::Receiver<Option<i64>>,
    since: i64,
    ready: VecDeque<Revocation>,
    /// The head that led to what is ready, and when it was heard of.
    looked: Option<(i64, Instant)>,
    beat_at: Instant,
}

impl Watcher {
    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(revocation) = self.ready.pop_front() {
                self.since = revocation.position;
                return Some(Item::Revocation(revocation));
            }
            // Where every look finds something, none but this would ever let the heart beat.
            if let Some((head, at)) = self.looked.take()
                && head == self.since
                && at.elapsed() < BEAT_AFTER
                && let Some(beat) = self.beat(head)
            {
                return Some(beat);
            }
            // A heartbeat speaks of now: what was heard of long ago, since whoever reads is slow, makes none.
            self.heads.changed().await.ok()?;
            let heard = Instant::now();
            let Some(mut head) = *self.heads.borrow_and_update() else { continue };
            if head < self.since {
                // Another replica has told the client more than this one knew. Only the database says that time went back.
                let Ok(asked) = self.feed.head().await else { continue };
                head = asked;
            }
            if head > self.since {
                // What is newer than the head comes with the next one, or the client would think that time went back.
                let Ok(found) = self.feed.after(self.since).await else { continue };
                self.ready = found.into_iter().take_while(|revocation| revocation.position <= head).collect();
                self.looked = Some((head, heard));
            } else if let Some(beat) = self.beat(head) {
                return Some(beat);
            }
        }
    }

    /// Returns a heartbeat if one is due.
    fn beat(&mut self, head: i64) -> Option<Item> {
        let now = Instant::now();
        if now < self.beat_at {
            return None;
        }
        self.beat_at = now + BEAT_AFTER;
        Some(Item::Heartbeat(head))
    }
}
