//! How a service reaches the broker, and how patient it is.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// The broker of a service. The default is a private RabbitMQ of a developer and the patience of production.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL, `amqp://user:password@host:port/vhost` or `amqps://…`.
    pub url: SecretString,
    /// After how many milliseconds an attempt to connect is given up.
    pub connect_timeout_ms: u64,
    /// After how many milliseconds the broker has to confirm a message or to answer a command.
    pub confirm_timeout_ms: u64,
    /// How many seconds of silence mean that the broker is gone.
    pub heartbeat_s: u16,
    /// The least and the greatest pause between two attempts to reconnect, in milliseconds.
    pub reconnect_ms: [u64; 2],
    /// How many messages may be with the broker without a confirmation.
    pub in_flight: usize,
    /// How many events the relay claims at once.
    pub claim: u16,
    /// For how many milliseconds a claim holds; longer than publishing may take.
    pub lease_ms: u64,
    /// The least and the greatest pause between two looks for events that nobody announced, in milliseconds.
    pub poll_ms: [u64; 2],
    /// The least and the greatest pause before an event is offered again that the broker refused, in milliseconds.
    pub refused_ms: [u64; 2],
    /// How many milliseconds the relay goes on after it was told to stop, until the outbox is empty.
    pub drain_ms: u64,
    /// After how many milliseconds a failed message is tried again: one retry for each number.
    pub retry_delays_ms: Vec<u64>,
    /// How many messages of a queue are applied at the same time.
    pub concurrency: usize,
    /// After how many milliseconds a handler has failed.
    pub handler_timeout_ms: u64,
    /// How many messages a batch has at most.
    pub batch_size: usize,
    /// How many milliseconds a batch waits for more messages.
    pub batch_wait_ms: u64,
    /// How often the broker delivers a message to consumers that crash on it; the net below our own counting.
    pub delivery_limit: u16,
    /// How many bytes a queue holds at most.
    pub queue_max_bytes: i64,
    /// After how many days published events are deleted from the outbox.
    pub keep_published_days: u16,
    /// After how many days the inbox forgets an event, and dead letters that were decided about go: longer than anybody
    /// replays.
    pub keep_inbox_days: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: SecretString::from("amqp://guest:guest@127.0.0.1:5672/%2f"),
            connect_timeout_ms: 5_000,
            confirm_timeout_ms: 5_000,
            heartbeat_s: 10,
            reconnect_ms: [200, 10_000],
            in_flight: 256,
            claim: 1_024,
            lease_ms: 30_000,
            poll_ms: [100, 1_000],
            refused_ms: [1_000, 60_000],
            drain_ms: 5_000,
            retry_delays_ms: vec![5_000, 30_000, 300_000, 1_800_000],
            concurrency: 8,
            handler_timeout_ms: 30_000,
            batch_size: 500,
            batch_wait_ms: 50,
            delivery_limit: 20,
            queue_max_bytes: 2 * 1024 * 1024 * 1024,
            keep_published_days: 7,
            keep_inbox_days: 30,
        }
    }
}

impl Config {
    pub(crate) const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) const fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.confirm_timeout_ms)
    }

    pub(crate) const fn handler_timeout(&self) -> Duration {
        Duration::from_millis(self.handler_timeout_ms)
    }

    pub(crate) const fn batch_wait(&self) -> Duration {
        Duration::from_millis(self.batch_wait_ms)
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    pub(crate) fn reconnect(&self) -> taskman_resilience::Backoff {
        let [min, max] = self.reconnect_ms.map(Duration::from_millis);
        taskman_resilience::Backoff::new(min, max)
    }

    pub(crate) fn poll(&self) -> taskman_resilience::Backoff {
        let [min, max] = self.poll_ms.map(Duration::from_millis);
        taskman_resilience::Backoff::new(min, max)
    }
}
