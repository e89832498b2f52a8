//! What can go wrong between a service, its outbox and the broker.

use taskman_errors::{Failure, Kind};

/// A failure of messaging.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker is away, or it refused a command.
    #[error("the broker is unavailable")]
    Broker(#[from] lapin::Error),
    /// The URL of the broker cannot be read. It is not repeated here, since it holds a password.
    #[error("the URL of the broker is not valid")]
    Url,
    /// The broker did not answer in time.
    #[error("the broker did not {0} in time")]
    Timeout(&'static str),
    /// The broker did not take a message.
    #[error("the broker refused a message: {0}")]
    Refused(&'static str),
    /// The broker ended a subscription.
    #[error("the broker ended the subscription")]
    Ended,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] taskman_postgres::Error),
    /// An event does not become JSON.
    #[error("an event cannot be written")]
    Encode(#[from] serde_json::Error),
    /// An event is larger than one may be.
    #[error("an event of {0} bytes is too large")]
    TooLarge(usize),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Broker(_) | Self::Timeout(_) | Self::Refused(_) | Self::Ended => Kind::Unavailable,
            Self::Database(error) => error.kind(),
            Self::Url | Self::Encode(_) | Self::TooLarge(_) => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Broker(_) | Self::Timeout(_) | Self::Refused(_) | Self::Ended => "UNAVAILABLE",
            Self::Database(error) => error.reason(),
            Self::Url | Self::Encode(_) | Self::TooLarge(_) => "INTERNAL",
        }
    }
}
