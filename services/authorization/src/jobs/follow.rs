//! Follows one stream: applies its changes in memory at once and writes them to the database, until stopped.
//!
//! Memory comes first: a revocation bites although the database is away. What could not be written is tried again with
//! the next sign of the stream. Every replica follows and writes; the position row makes each change be written once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use sqlx::PgConnection;
use taskman_errors::Failure as _;
use taskman_resilience::Backoff;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clients::{Item, Items};
use crate::domain::change::Numbered;
use crate::domain::position::Stream;
use crate::error::Error;
use crate::projection::progress::Progress;
use crate::{metrics, store};

/// At most so many elements that have arrived are applied in one go.
const BATCH: usize = 256;
/// At most so many changes wait for the database; after more, the stream is read again from where the database is.
const MAX_UNWRITTEN: usize = 10_000;
/// How long the database may take, so that one that hangs does not keep changes from memory.
const WRITE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a database that failed is left alone.
const WRITE_PAUSE: Duration = Duration::from_secs(2);
/// How often it is written that the database is complete: what a restart may count on.
const NOTE_FRESHNESS_EVERY: Duration = Duration::from_secs(5);

/// What differs between the two streams.
#[async_trait]
pub(super) trait Source: Send + Sync {
    /// Which stream it is.
    const STREAM: Stream;
    /// What changes.
    type Change: Clone + Send + Sync + 'static;

    /// Opens the stream after a position.
    async fn open(app: &App, since: i64) -> Result<Items<Self::Change>, Error>;
    /// Applies changes in memory: all or none.
    async fn apply(app: &App, changes: Vec<Self::Change>) -> Result<(), Error>;
    /// Writes changes, in order; doing so again changes nothing.
    async fn write(conn: &mut PgConnection, changes: Vec<Self::Change>) -> Result<(), Error>;
    /// Removes everything that was written.
    async fn clear(conn: &mut PgConnection) -> Result<(), Error>;
}

/// Why a stream has to be opened again.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the stream ended")]
    Closed,
    #[error("nothing was heard for too long")]
    Silent,
    #[error("too much waits for the database")]
    Unwritten,
    #[error("the stream is behind what it has sent before: its database was restored")]
    Restored,
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Follows the stream of `S` until stopped. Whatever happens to it, it is opened again.
pub(super) async fn follow<S: Source>(app: Arc<App>, stop: CancellationToken) {
    let mut follower = Follower::<S>::new(&app);
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    loop {
        let Some(ended) = stop.run_until_cancelled(Box::pin(follower.session(&mut backoff))).await else { break };
        match &ended {
            Ended::Restored => tracing::error!(stream = S::STREAM.as_str(), "{ended}; everything is read anew"),
            Ended::Failed(error @ Error::ChangeMalformed(_)) => {
                tracing::error!(stream = S::STREAM.as_str(), %error, "facts grow stale until it is");
            }
            Ended::Failed(error) => {
                tracing::debug!(stream = S::STREAM.as_str(), error.reason = error.reason(), %error, "opened again");
            }
            _ => tracing::warn!(stream = S::STREAM.as_str(), "{ended}; it is opened again"),
        }
        if stop.run_until_cancelled(backoff.sleep()).await.is_none() {
            break;
        }
    }
    follower.finish().await;
}

struct Follower<'a, S: Source> {
    app: &'a App,
    progress: &'a Progress,
    /// The position up to which the database is known to be written.
    written: i64,
    /// What is in memory and not in the database yet.
    unwritten: Vec<Numbered<S::Change>>,
    /// When memory was complete last.
    fresh_at: Option<DateTime<Utc>>,
    /// When that was written last.
    noted: Option<Instant>,
    /// When the database failed last.
    failed: Option<Instant>,
    /// Whether this connection has been level with the stream: only then a change's age says how fast we are.
    live: bool,
}

impl<'a, S: Source> Follower<'a, S> {
    fn new(app: &'a App) -> Self {
        let progress = app.projection.progress(S::STREAM);
        Self {
            app,
            progress,
            written: progress.position(),
            unwritten: Vec::new(),
            fresh_at: None,
            noted: None,
            failed: None,
            live: false,
        }
    }

    /// Follows the stream from where the database is until it ends.
    async fn session(&mut self, backoff: &mut Backoff) -> Ended {
        self.live = false;
        let silence = Duration::from_millis(self.app.config.silence_ms);
        // What is in memory already is passed over when it comes again. The database may be ahead of memory: another
        // replica writes it, too.
        let since = self.unwritten.last().map_or(self.written, |change| change.position).min(self.progress.position());
        let opened = tokio::time::timeout(silence, S::open(self.app, since)).await;
        let mut batches = match opened {
            Ok(Ok(stream)) => stream.ready_chunks(BATCH),
            Ok(Err(error)) => return error.into(),
            Err(_) => return Ended::Silent,
        };
        loop {
            let taken = match tokio::time::timeout(silence, batches.next()).await {
                Ok(Some(batch)) => self.take(batch).await,
                Ok(None) => Err(Ended::Closed),
                Err(_) => Err(Ended::Silent),
            };
            if let Err(ended) = taken {
                return ended;
            }
            backoff.reset();
        }
    }

    async fn take(&mut self, batch: Vec<Result<Item<S::Change>, Error>>) -> Result<(), Ended> {
        let (mut changes, mut head, mut broken, mut restored) = (Vec::new(), None, None, None);
        let mut position = self.progress.position();
        for item in batch {
            match item {
                Ok(Item::Change(change)) => {
                    position = position.max(change.position);
                    changes.push(change);
                }
                Ok(Item::Heartbeat(at)) if at < position => {
                    restored = Some(at);
                    break;
                }
                Ok(Item::Heartbeat(at)) => head = Some(at),
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        // Facts are as old as their arrival, however long applying them takes.
        let arrived = Instant::now();
        self.apply(changes).await?;
        if let Some(head) = restored {
            return Err(self.restored(head).await);
        }
        if let Some(head) = head
            && self.progress.heartbeat(head, arrived)
        {
            self.live = true;
            self.fresh_at = Some(self.app.clock.now());
        }
        self.write().await;
        match broken {
            Some(error) => Err(error.into()),
            None if self.unwritten.len() > MAX_UNWRITTEN => {
                self.unwritten.clear();
                Err(Ended::Unwritten)
            }
            None => Ok(()),
        }
    }

    /// Applies in memory what is not there yet, and keeps what is not in the database yet.
    async fn apply(&mut self, changes: Vec<Numbered<S::Change>>) -> Result<(), Error> {
        let applied = self.progress.position();
        let new: Vec<_> = changes.iter().filter(|change| change.position > applied).collect();
        if let Some(last) = new.last() {
            S::apply(self.app, new.iter().map(|change| change.change.clone()).collect()).await?;
            self.progress.advance(last.position);
            if self.live {
                let now = self.app.clock.now();
                for change in new {
                    metrics::applied(S::STREAM, change.changed_at, now);
                }
            }
        }
        let kept = self.unwritten.last().map_or(self.written, |change| change.position);
        self.unwritten.extend(changes.into_iter().filter(|change| change.position > kept));
        Ok(())
    }

    /// Writes what is not written; what cannot be is kept.
    async fn write(&mut self) {
        let note = self.fresh_at.is_some() && self.noted.is_none_or(|at| at.elapsed() >= NOTE_FRESHNESS_EVERY);
        let resting = self.failed.is_some_and(|at| at.elapsed() < WRITE_PAUSE);
        if resting || (self.unwritten.is_empty() && !note) {
            return;
        }
        let written = tokio::time::timeout(WRITE_TIMEOUT, self.write_all(note)).await;
        match written.unwrap_or(Err(Error::Database(taskman_postgres::Error::Timeout))) {
            Ok(written) => {
                self.written = written;
                self.unwritten.clear();
                self.failed = None;
                if note {
                    self.noted = Some(Instant::now());
                }
            }
            Err(error) => {
                self.failed = Some(Instant::now());
                tracing::warn!(stream = S::STREAM.as_str(), %error, "changes are not written; decisions have them");
            }
        }
    }

    async fn write_all(&self, note_freshness: bool) -> Result<i64, Error> {
        let mut tx = self.app.db.begin().await?;
        let mut written = store::position::lock(&mut tx, S::STREAM).await?;
        let new: Vec<_> = self.unwritten.iter().filter(|change| change.position > written).collect();
        if let Some(last) = new.last() {
            S::write(&mut tx, new.iter().map(|change| change.change.clone()).collect()).await?;
            written = last.position;
            store::position::update(&mut tx, S::STREAM, written).await?;
        }
        if let Some(fresh_at) = self.fresh_at.filter(|_| note_freshness) {
            store::position::update_freshness(&mut tx, S::STREAM, self.progress.position(), fresh_at).await?;
        }
        tx.commit().await?;
        Ok(written)
    }

    /// Forgets everything, for the stream has forgotten what it told: first in the database, so that a restart does not
    /// bring it back, and then in memory. Until it is read anew nothing is decided.
    async fn restored(&mut self, head: i64) -> Ended {
        self.progress.was_fresh(None);
        self.fresh_at = None;
        let cleared = async {
            let mut tx = self.app.db.begin().await?;
            // Another replica may have begun anew already.
            if store::position::lock(&mut tx, S::STREAM).await? > head {
                S::clear(&mut tx).await?;
                store::position::reset(&mut tx, S::STREAM).await?;
            }
            tx.commit().await.map_err(Error::from)
        };
        match tokio::time::timeout(WRITE_TIMEOUT, cleared).await {
            Ok(Ok(())) => {
                self.app.projection.reset(S::STREAM);
                self.unwritten.clear();
                self.written = 0;
                Ended::Restored
            }
            Ok(Err(error)) => error.into(),
            Err(_) => Ended::Unwritten,
        }
    }

    /// Writes what is left, and that it was complete, for the next start.
    async fn finish(mut self) {
        (self.noted, self.failed) = (None, None);
        self.write().await;
    }
}
