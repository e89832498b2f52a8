//! Streams the changes of users: what happened since, then what happens, and a heartbeat while nothing does.

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
    /// Nothing new; the newest position is this.
    Heartbeat(i64),
}

/// Streams from the position `since` on, until the service stops.
pub(crate) fn watch_changes(app: Arc<App>, since: i64) -> impl Stream<Item = Result<Item, Error>> {
    let woken = app.changes.0.subscribe();
    let watcher = Watcher { app, woken, position: since, ready: VecDeque::new(), heartbeat: None };
    futures::stream::try_unfold(
        watcher,
        |mut watcher| async move { Ok(watcher.next().await?.map(|item| (item, watcher))) },
    )
}

struct Watcher {
    app: Arc<App>,
    woken: watch::Receiver<()>,
    position: i64,
    ready: VecDeque<Change>,
    /// When the next heartbeat is due; at once in the beginning.
    heartbeat: Option<Instant>,
}

impl Watcher {
    async fn next(&mut self) -> Result<Option<Item>, Error> {
        let stopping = self.app.stopping.clone();
        loop {
            if let Some(change) = self.ready.pop_front() {
                self.position = change.position;
                return Ok(Some(Item::Change(Box::new(change))));
            }
            if stopping.is_cancelled() {
                return Ok(None);
            }
            self.woken.mark_unchanged();
            let mut conn = self.app.db.primary().acquire().await?;
            self.ready = store::change::list(&mut conn, self.position).await?.into();
            if !self.ready.is_empty() {
                continue;
            }
            if self.heartbeat.is_none_or(|due| due <= Instant::now()) {
                self.heartbeat = Some(Instant::now() + HEARTBEAT);
                return Ok(Some(Item::Heartbeat(store::change::head(&mut conn).await?)));
            }
            drop(conn);
            tokio::select! {
                () = stopping.cancelled() => return Ok(None),
                _ = self.woken.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}
