//! What the authorization service asks of other services.

mod attributes;
mod iam;
mod user;

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use taskman_resilience::deadline::{self, Deadline};

pub(crate) use self::attributes::{Attributes, AttributesKey, fetch_attributes};
pub(crate) use self::iam::watch_iam;
pub(crate) use self::user::{find_subject, watch_users};
use crate::app::App;
use crate::domain::change::Numbered;
use crate::error::Error;

/// One element of a stream of changes.
#[derive(Debug)]
pub(crate) enum Item<T> {
    /// A change.
    Change(Numbered<T>),
    /// The newest position there is.
    Heartbeat(i64),
}

/// A stream of changes; it ends with its first error.
pub(crate) type Items<T> = BoxStream<'static, Result<Item<T>, Error>>;

/// How long a decision may wait for another service: half of the time that is left, so that the answer is still of use.
fn patience(app: &App) -> Duration {
    let most = Duration::from_millis(app.config.ask_ms);
    deadline::current().map_or(most, |deadline| most.min(deadline.remaining() / 2))
}

/// Tells the other service how long the answer may be of use. The question may be shared, so that is the longest that
/// anybody waits, and not the patience of the one who happened to ask first: that ends earlier, and then another asks.
async fn shared<F: Future>(app: &App, call: F) -> F::Output {
    deadline::scope(Deadline::after(Duration::from_millis(app.config.ask_ms)), call).await
}

fn time(timestamp: Option<prost_types::Timestamp>) -> Option<DateTime<Utc>> {
    let timestamp = timestamp?;
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
