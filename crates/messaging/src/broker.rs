//! Connections to the broker, and a publisher that sends one message at a time to one queue.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::{Config, Error};

/// How long a connection may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Connects. The connection does not recover by itself: its user drops it and begins again, so that nothing hangs on a
/// confirmation that can no longer come.
pub(crate) async fn connect(config: &Config, name: &str) -> Result<Connection, Error> {
    let mut uri: AMQPUri = config.url.expose_secret().parse().map_err(|_| Error::Url)?;
    uri.query.heartbeat = uri.query.heartbeat.or(Some(config.heartbeat_s));
    uri.query.connection_timeout = uri.query.connection_timeout.or(Some(config.connect_timeout_ms));
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    within(config.connect_timeout(), "connect", Connection::connect_uri(uri, properties)).await
}

/// Opens a channel that confirms what is published on it.
pub(crate) async fn confirming_channel(connection: &Connection, config: &Config) -> Result<Channel, Error> {
    let open = async {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    };
    within(config.confirm_timeout(), "open a channel", open).await
}

/// Says goodbye, if the broker still listens.
pub(crate) async fn close(connection: &Connection) {
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.close(200, "bye".into())).await;
}

/// Waits for an answer of the broker no longer than `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(Error::Timeout(what)),
    }
}

/// Sends single messages to queues by name: retries, dead letters, replays.
///
/// It has a connection of its own, because the broker stops reading from one that publishes when it is short of memory or
/// disk, and acknowledgements must not wait behind that.
pub(crate) struct Publisher {
    config: Config,
    name: String,
    line: Mutex<Option<(Connection, Channel)>>,
}

impl Publisher {
    /// Prepares a publisher; it connects with the first message.
    pub(crate) fn new(config: Config, name: String) -> Self {
        Self { config, name, line: Mutex::new(None) }
    }

    /// Puts a message into `queue` and waits until the broker has stored it.
    pub(crate) async fn send(&self, queue: &str, properties: BasicProperties, payload: &[u8]) -> Result<(), Error> {
        let mut line = self.line.lock().await;
        let channel = match line.take() {
            Some((connection, channel)) if channel.status().connected() => {
                let sender = channel.clone();
                *line = Some((connection, channel));
                sender
            }
            _ => {
                let connection = connect(&self.config, &self.name).await?;
                let channel = confirming_channel(&connection, &self.config).await?;
                *line = Some((connection, channel.clone()));
                channel
            }
        };
        // Messages wait for each other here. A failure is the exception, and a return can be attributed only this way.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = async { channel.basic_publish("".into(), queue.into(), options, payload, properties).await?.await };
        let result = match within(self.config.confirm_timeout(), "confirm a message", sent).await {
            Ok(Confirmation::Ack(None)) => Ok(()),
            Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested) => {
                Err(Error::Refused("there is no such queue"))
            }
            Ok(Confirmation::Nack(_)) => Err(Error::Refused("the queue is full")),
            Err(error) => Err(error),
        };
        if !matches!(result, Ok(()) | Err(Error::Refused(_))) {
            *line = None;
        }
        result
    }
}
