//! Streams the changes of users: what happened since, then what happens, with a heartbeat all along.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::error::Error;
use crate::store;
use crate::store::change::Change;

/// How often the stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How soon changes are seen that another replica committed.
const POLL: Duration = Duration::from_millis(100);

/// Wakes the streams of this process after a commit.
#[derive(Debug, Clone)]
pub struct Changes(watch::Sender<()>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Changes {
    /// Says that there may be something new.
    pub(crate) fn wake(&self) {
        self.0.send_replace(());
    }
}

/// One element of the stream.
#[derive(Debug)]
pub(crate) enum Item {
    /// A change.
    Change(Box<Change>),
    /// The stream is alive; the newest position is this.
    Heartbeat(i64),
}

/// Streams from the position `since` on, until the service stops. The first element is a heartbeat: whoever watches knows
/// at once how far behind they are.
pub(crate) fn watch_changes(app: Arc<App>, since: i64) -> impl Stream<Item = Result<Item, Error>> {
    let woken = app.changes.0.subscribe();
    let watcher = Watcher { app, woken, position: since, ready: VecDeque::new(), heartbeat_due: Instant::now() };
    futures::stream::try_unfold(
        watcher,
        |mut watcher| async move { Ok(watcher.next().await?.map(|item| (item, watcher))) },
    )
}

struct Watcher {
    app: Arc<App>,
    woken: watch::Receiver<()>,
    /// The last change that was handed out.
    position: i64,
    /// Changes that were read and not handed out yet.
    ready: VecDeque<Change>,
    heartbeat_due: Instant,
}

impl Watcher {
    async fn next(&mut self) -> Result<Option<Item>, Error> {
        let stopping = self.app.stopping.clone();
        loop {
            if stopping.is_cancelled() {
                return Ok(None);
            }
            // Before the changes: a long row of them must not look like a stream that is dead.
            if self.heartbeat_due <= Instant::now() {
                self.heartbeat_due = Instant::now() + HEARTBEAT;
                let mut conn = self.app.db.primary().acquire().await?;
                return Ok(Some(Item::Heartbeat(store::change::head(&mut conn).await?)));
            }
            if let Some(change) = self.ready.pop_front() {
                self.position = change.position;
                return Ok(Some(Item::Change(Box::new(change))));
            }
            // Before the look, so that what is committed after it wakes.
            self.woken.mark_unchanged();
            let mut conn = self.app.db.primary().acquire().await?;
            self.ready = store::change::list(&mut conn, self.position).await?.into();
            drop(conn);
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                _ = self.woken.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}
