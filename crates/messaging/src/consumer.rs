//! Consumers: apply each event once, and let nothing wait behind a failure.
//!
//! One transaction holds the inbox row of the event, what the handler does, and the events that follow from it; the
//! message is acknowledged after the commit. A delivery whose inbox row exists already is acknowledged and changes
//! nothing.

mod apply;
mod batch;
mod handler;
mod settle;
mod single;

use std::sync::Arc;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use taskman_clock::{SharedClock, SystemClock};
use taskman_events::Subscription;
use taskman_postgres::Db;
use tokio_util::sync::CancellationToken;

use self::handler::Kind;
pub use self::handler::{BatchHandler, Failed, Handler, Handlers};
pub(crate) use self::settle::{hex, message_id};
use crate::broker::Publisher;
use crate::{Config, Error, broker, dead_letters, topology};

/// Consumes one queue for one service.
pub struct Consumer {
    db: Db,
    config: Config,
    service: &'static str,
    subscription: &'static Subscription,
    handlers: Handlers,
    clock: SharedClock,
    publisher: Arc<Publisher>,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("queue", &self.subscription.queue).finish_non_exhaustive()
    }
}

impl Consumer {
    /// Prepares a consumer; nothing happens before [`Consumer::run`].
    pub fn new(
        db: Db,
        config: Config,
        service: &'static str,
        subscription: &'static Subscription,
        handlers: Handlers,
    ) -> Self {
        let publisher = Arc::new(Publisher::new(config.clone(), format!("{service}: retry {}", subscription.queue)));
        Self { db, config, service, subscription, handlers, clock: SystemClock::shared(), publisher }
    }

    /// Tells the time of failures by `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the name of the queue.
    pub fn queue(&self) -> &'static str {
        self.subscription.queue
    }

    /// Consumes until `stop`, then finishes what it has begun; the rest stays in the queue.
    ///
    /// It never ends by itself: when the broker is away it connects again.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = self.config.reconnect();
        while !stop.is_cancelled() {
            match self.session(&stop, || backoff.reset()).await {
                Ok(()) => return,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, messaging.queue = self.queue(), "the consumer lost the broker");
                }
            }
            self.connected(false);
            tokio::select! {
                () = backoff.sleep() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn session(&self, stop: &CancellationToken, mut connected: impl FnMut()) -> Result<(), Error> {
        let name = format!("{}: consume {}", self.service, self.queue());
        let connection = tokio::select! {
            connection = broker::connect(&self.config, &name) => connection?,
            () = stop.cancelled() => return Ok(()),
        };
        let ended = async {
            let channel = broker::confirming_channel(&connection, &self.config).await?;
            topology::declare_all(&channel, &self.config).await?;
            connected();
            self.connected(true);
            tracing::info!(messaging.queue = self.queue(), "the consumer is connected");
            let dead = subscribe(&connection, &self.config, &topology::dead_letter_queue(self.queue()), 64).await?;
            let work = subscribe(&connection, &self.config, self.queue(), self.subscription.prefetch).await?;
            let work = async {
                match &self.handlers.0 {
                    Kind::ByKey(_) => Box::pin(single::run(self, work, stop)).await,
                    Kind::Batch(_) => Box::pin(batch::run(self, work, stop)).await,
                }
            };
            tokio::try_join!(work, dead_letters::collect(&self.db, &self.config, self.queue(), dead, stop)).map(|_| ())
        }
        .await;
        // Closing hands back to the queue what was delivered and not acknowledged.
        broker::close(&connection).await;
        ended
    }

    fn connected(&self, is: bool) {
        metrics::gauge!("taskman_broker_connected", "service" => self.service, "direction" => self.queue())
            .set(f64::from(u8::from(is)));
    }

    fn count(&self, outcome: &'static str, messages: usize) {
        let messages = u64::try_from(messages).unwrap_or(u64::MAX);
        metrics::counter!(
            "taskman_messages_total", "service" => self.service, "queue" => self.queue(), "outcome" => outcome
        )
        .increment(messages);
        if outcome == "duplicate" {
            metrics::counter!(
                "taskman_inbox_duplicates_total", "service" => self.service, "queue" => self.queue()
            )
            .increment(messages);
        }
    }
}

/// A running subscription and the channel that it lives on.
pub(crate) struct Deliveries {
    pub(crate) stream: lapin::Consumer,
    channel: Channel,
}

impl Deliveries {
    /// Asks the broker to send nothing more.
    pub(crate) async fn cancel(&self, config: &Config) -> Result<(), Error> {
        let cancelled = self.channel.basic_cancel(self.stream.tag(), lapin::options::BasicCancelOptions::default());
        broker::within(config.confirm_timeout(), "end a subscription", cancelled).await
    }
}

async fn subscribe(connection: &Connection, config: &Config, queue: &str, prefetch: u16) -> Result<Deliveries, Error> {
    let subscribe = async {
        let channel = connection.create_channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let stream = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
        Ok(Deliveries { stream, channel })
    };
    broker::within(config.confirm_timeout(), "begin a subscription", subscribe).await
}
