//! What can go wrong here, and what the outside is shown of it.

use std::time::Duration;

use taskman_errors::{Failure, Kind, Violation};
use taskman_identity::KeyError;
use taskman_rpc::UpstreamError;

/// The only error of this service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request itself is wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The login did not succeed, for whatever reason.
    #[error("the e-mail address or the password is wrong, or the login is not possible at present")]
    LoginFailed,
    /// The refresh token is unknown, used, or of a session that is over.
    #[error("the refresh token is not valid; log in again")]
    RefreshTokenInvalid,
    /// The link is unknown, used or too old.
    #[error("the link is not valid any more; ask for a new one")]
    LinkInvalid,
    /// More passwords wait to be hashed than can be hashed soon.
    #[error("the service has as much to do as it can; try again")]
    Overloaded,
    /// Another service is away, or answered in an unexpected way.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] taskman_postgres::Error),
    /// An event could not be recorded.
    #[error(transparent)]
    Outbox(#[from] taskman_messaging::Error),
    /// A signing key is damaged, or could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A sealed key does not open: the service's own secret is not the one that it was sealed with.
    #[error("the signing key {kid} cannot be opened with identity.secret_key")]
    Sealed {
        /// The id of the key.
        kid: String,
    },
    /// There is no key to sign with.
    #[error("there is no signing key")]
    NoKey,
    /// The machine gave no randomness, or a cipher failed.
    #[error("the cryptographic library failed")]
    Crypto,
    /// A row, or the answer of another service, holds what this program does not know.
    #[error("{0} holds an unknown value")]
    Damaged(&'static str),
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Invalid(violations)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<aws_lc_rs::error::Unspecified> for Error {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Crypto
    }
}

impl Error {
    /// The failure of another crate that this one passes on.
    fn inner(&self) -> Option<&dyn Failure> {
        match self {
            Self::Upstream(error) => Some(error),
            Self::Database(error) => Some(error),
            Self::Outbox(error) => Some(error),
            Self::Key(error) => Some(error),
            _ => None,
        }
    }

    /// The table: kind and reason of each error of our own.
    const fn own(&self) -> (Kind, &'static str) {
        match self {
            Self::Invalid(_) => (Kind::Invalid, "FIELD_INVALID"),
            Self::LoginFailed => (Kind::Unauthenticated, "LOGIN_FAILED"),
            Self::RefreshTokenInvalid => (Kind::Unauthenticated, "REFRESH_TOKEN_INVALID"),
            Self::LinkInvalid => (Kind::Refused, "LINK_INVALID"),
            Self::Overloaded => (Kind::Exhausted, "OVERLOADED"),
            _ => (Kind::Internal, "INTERNAL"),
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        self.inner().map_or_else(|| self.own().0, Failure::kind)
    }

    fn reason(&self) -> &'static str {
        self.inner().map_or_else(|| self.own().1, Failure::reason)
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            _ => self.inner().map_or(&[], Failure::violations),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        self.inner().map(Failure::metadata).unwrap_or_default()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded => Some(Duration::from_secs(1)),
            _ => self.inner().and_then(Failure::retry_after),
        }
    }
}
