//! A stream of changes that a test drives.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often a feed says that it is alive, unless it is muted.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// What a feed sends.
#[derive(Debug, Clone)]
pub(crate) enum Sent<C> {
    Change(i64, C),
    Heartbeat(i64),
}

#[derive(Debug)]
struct State<C> {
    changes: Vec<(i64, C)>,
    muted: bool,
    opened: Vec<i64>,
    /// Streams of an earlier generation end.
    generation: usize,
}

/// Numbered changes, and the streams of them.
#[derive(Debug)]
pub(crate) struct Feed<C>(watch::Sender<State<C>>);

impl<C> Clone for Feed<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Clone + Send + Sync + 'static> Feed<C> {
    pub(crate) fn new() -> Self {
        let state = State { changes: Vec::new(), muted: false, opened: Vec::new(), generation: 0 };
        Self(watch::Sender::new(state))
    }

    /// Commits a change and returns its position.
    pub(crate) fn push(&self, change: C) -> i64 {
        let mut position = 0;
        self.0.send_modify(|state| {
            position = state.changes.last().map_or(0, |(last, _)| *last) + 1;
            state.changes.push((position, change));
        });
        position
    }

    /// Returns the newest position.
    pub(crate) fn head(&self) -> i64 {
        self.0.borrow().changes.last().map_or(0, |(last, _)| *last)
    }

    /// Sends nothing any more, or again; streams stay open.
    pub(crate) fn mute(&self, muted: bool) {
        self.0.send_modify(|state| state.muted = muted);
    }

    /// Ends every stream.
    pub(crate) fn cut(&self) {
        self.0.send_modify(|state| state.generation += 1);
    }

    /// Brings back an older database: other changes from the first position on.
    pub(crate) fn restore(&self, changes: Vec<C>) {
        self.0.send_modify(|state| {
            state.changes = (1..).zip(changes).collect();
            state.generation += 1;
        });
    }

    /// Returns after which positions streams have been opened.
    pub(crate) fn opened(&self) -> Vec<i64> {
        self.0.borrow().opened.clone()
    }

    /// Opens a stream of what comes after `since`.
    pub(crate) fn stream(&self, since: i64) -> BoxStream<'static, Sent<C>> {
        self.0.send_modify(|state| state.opened.push(since));
        let mut states = self.0.subscribe();
        let generation = states.borrow_and_update().generation;
        let (mut position, mut due) = (since, Instant::now());
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let send = async move {
            loop {
                let next = {
                    let state = states.borrow_and_update();
                    if state.generation != generation {
                        return;
                    }
                    let change = state.changes.iter().find(|(at, _)| *at > position).cloned();
                    let head = state.changes.last().map_or(0, |(last, _)| *last);
                    match change {
                        _ if state.muted => None,
                        Some((at, change)) => Some(Sent::Change(at, change)),
                        None if due <= Instant::now() => Some(Sent::Heartbeat(head)),
                        None => None,
                    }
                };
                let Some(sent) = next else {
                    // A closed receiver is noticed with the next beat.
                    let changed = tokio::time::timeout(HEARTBEAT, states.changed()).await;
                    if matches!(changed, Ok(Err(_))) || sender.is_closed() {
                        return;
                    }
                    continue;
                };
                match &sent {
                    Sent::Change(at, _) => position = *at,
                    Sent::Heartbeat(_) => due = Instant::now() + HEARTBEAT,
                }
                if sender.send(sent).await.is_err() {
                    return;
                }
            }
        };
        let received = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let sending = futures::stream::once(send).filter_map(|()| async { None });
        futures::stream::select(received, sending).boxed()
    }
}
