//! The relay's connection: publishes a batch and says of each event what became of it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation, Connection};
use tracing::Instrument;
use uuid::Uuid;

use super::store::Row;
use crate::headers::{self, Headers};
use crate::{Config, Error, broker, topology, trace};

/// A connection with one confirming channel. Not used by two at a time.
pub(super) struct Line {
    service: &'static str,
    connection: Connection,
    channel: Channel,
}

/// What became of the events of one batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The broker has stored them.
    pub(super) published: Vec<Uuid>,
    /// The broker does not want them at present.
    pub(super) refused: Vec<Refusal>,
    /// Nobody knows.
    pub(super) unknown: Vec<Uuid>,
    /// The line is of no more use.
    pub(super) broken: Option<Broken>,
}

/// An event that the broker did not take.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) id: Uuid,
    pub(super) routing_key: String,
    pub(super) reason: &'static str,
}

/// Why a line is of no more use.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    /// The connection or the channel failed.
    Failed(lapin::Error),
    /// The broker did not confirm in time: it hangs, or it blocks publishers because it is short of memory or disk.
    TimedOut,
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Failed(error) => Self::Broker(error),
            Broken::TimedOut => Self::Timeout("confirm a message"),
        }
    }
}

impl Outcome {
    pub(super) fn is_empty(&self) -> bool {
        self.published.is_empty() && self.refused.is_empty() && self.unknown.is_empty()
    }
}

/// What the broker said to one event.
enum Sent {
    /// It answered: whether the event is stored, and which event it has returned.
    Answered {
        stored: bool,
        returned: Option<Uuid>,
    },
    Broken(Broken),
    NotTried,
}

impl Line {
    /// Connects and declares the whole topology, so that what is published finds its queues.
    pub(super) async fn open(config: &Config, service: &'static str) -> Result<Self, Error> {
        let connection = broker::connect(config, &format!("{service}: publish")).await?;
        let channel = broker::confirming_channel(&connection, config).await?;
        topology::declare_all(&channel, config).await?;
        Ok(Self { service, connection, channel })
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Says whether the broker has asked publishers to wait.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    pub(super) async fn close(&self) {
        broker::close(&self.connection).await;
    }

    /// Publishes `rows` with a bounded number in flight, and waits until the fate of each is known.
    pub(super) async fn publish(&self, rows: Vec<Row>, config: &Config) -> Outcome {
        let broken = AtomicBool::new(false);
        let timeout = config.confirm_timeout();
        let sent: Vec<(Row, Sent)> = futures::stream::iter(rows)
            .map(|row| self.publish_one(row, timeout, &broken))
            .buffer_unordered(config.in_flight.max(1))
            .collect()
            .await;
        sort_out(sent)
    }

    async fn publish_one(&self, row: Row, timeout: Duration, broken: &AtomicBool) -> (Row, Sent) {
        if broken.load(Ordering::Relaxed) {
            return (row, Sent::NotTried);
        }
        let to = (row.exchange.as_str(), row.routing_key.as_str());
        let span = trace::publish(self.service, to, row.traceparent.as_deref(), row.tracestate.as_deref());
        let (traceparent, tracestate) = trace::name(&span);
        let mut headers = Headers::default();
        headers
            .set(headers::EVENT_ID, row.id.to_string())
            .set(headers::EVENT_TYPE, row.routing_key.as_str())
            .set(headers::ROUTING_KEY, row.routing_key.as_str())
            .set(headers::COMPANY_ID, row.company_id.to_string())
            .set_number(headers::PRODUCER_SEQ, row.producer_seq)
            .set_some(headers::TRACEPARENT, traceparent.or_else(|| row.traceparent.clone()))
            .set_some(headers::TRACESTATE, tracestate.or_else(|| row.tracestate.clone()));
        let properties = headers.into_properties(&row.id.to_string());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (row.exchange.as_str().into(), row.routing_key.as_str().into());
        let publish =
            async { self.channel.basic_publish(exchange, key, options, &row.payload, properties).await?.await };
        let sent = match tokio::time::timeout(timeout, publish.instrument(span)).await {
            Ok(Ok(confirmation)) => answer(confirmation),
            Ok(Err(error)) => Sent::Broken(Broken::Failed(error)),
            Err(_) => Sent::Broken(Broken::TimedOut),
        };
        if matches!(sent, Sent::Broken(_)) {
            broken.store(true, Ordering::Relaxed);
        }
        (row, sent)
    }
}

fn answer(confirmation: Confirmation) -> Sent {
    let stored = confirmation.is_ack();
    let returned = confirmation.take_message().and_then(|message| {
        let id = message.delivery.properties.message_id().as_ref()?;
        Uuid::try_parse(id.as_str()).ok()
    });
    Sent::Answered { stored, returned }
}

/// Sorts the events of a batch by their fate.
///
/// The broker acknowledges an event that no queue wants, too, after it has returned it. The client hands a returned
/// message to whichever confirmation resolves next, not to its own, so returns count by the message's id.
fn sort_out(sent: Vec<(Row, Sent)>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut returned = HashSet::new();
    let mut answered = Vec::with_capacity(sent.len());
    for (row, sent) in sent {
        match sent {
            Sent::NotTried => outcome.unknown.push(row.id),
            Sent::Broken(broken) => {
                outcome.unknown.push(row.id);
                outcome.broken.get_or_insert(broken);
            }
            Sent::Answered { stored, returned: id } => {
                returned.extend(id);
                answered.push((row, stored));
            }
        }
    }
    for (row, stored) in answered {
        let reason = match (returned.contains(&row.id), stored) {
            (true, _) => "no queue is bound for it",
            (false, false) => "a queue is full",
            (false, true) => {
                outcome.published.push(row.id);
                continue;
            }
        };
        outcome.refused.push(Refusal { id: row.id, routing_key: row.routing_key, reason });
    }
    outcome
}
