//! What can go wrong in the user service.

use std::time::Duration;

use taskman_errors::{Failure, Kind, Violation};
use taskman_messaging as messaging;
use taskman_paging::PageTokenInvalid;
use taskman_postgres::{self as postgres, idempotency::Refusal};
use taskman_rpc::UpstreamError;

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// There is no such user in the caller's company.
    #[error("there is no such user")]
    NotFound,
    /// A user of the deployment has this address.
    #[error("a user with this e-mail address exists")]
    EmailTaken,
    /// A user of the company has this name.
    #[error("a user of the company has this username")]
    UsernameTaken,
    /// A company has this short name.
    #[error("a company has this slug")]
    SlugTaken,
    /// The same sign-up was inserted by somebody else just now.
    #[error("the same sign-up is being made")]
    SignupExists,
    /// The request id of the sign-up was used with other values.
    #[error("the request id was used with another request")]
    RequestReused,
    /// Nobody deactivates themselves.
    #[error("nobody can deactivate themselves")]
    SelfDeactivation,
    /// The user has changed since the client read it.
    #[error("the user has changed; the present version is {current}")]
    Stale {
        /// The present version.
        current: i32,
    },
    /// The page token is not one of this list.
    #[error(transparent)]
    PageToken(#[from] PageTokenInvalid),
    /// The idempotency key does not let the call go on.
    #[error(transparent)]
    Idempotency(#[from] Refusal),
    /// Another service did not answer as hoped.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// An event could not be recorded.
    #[error(transparent)]
    Outbox(#[from] messaging::Error),
    /// The database failed.
    #[error(transparent)]
    Database(postgres::Error),
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Invalid(violations)
    }
}

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        match error.constraint() {
            Some("companies_pkey" | "users_pkey") => Self::SignupExists,
            Some("users_email") => Self::EmailTaken,
            Some("users_username") => Self::UsernameTaken,
            Some("companies_slug") => Self::SlugTaken,
            _ => Self::Database(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        postgres::Error::from(error).into()
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::RequestReused => Kind::Invalid,
            Self::NotFound => Kind::NotFound,
            Self::EmailTaken | Self::UsernameTaken | Self::SlugTaken => Kind::AlreadyExists,
            Self::Stale { .. } | Self::SignupExists => Kind::Stale,
            Self::SelfDeactivation => Kind::Refused,
            Self::PageToken(error) => error.kind(),
            Self::Idempotency(error) => error.kind(),
            Self::Upstream(error) => error.kind(),
            Self::Outbox(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "FIELD_INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::EmailTaken => "EMAIL_TAKEN",
            Self::UsernameTaken => "USERNAME_TAKEN",
            Self::SlugTaken => "SLUG_TAKEN",
            Self::SelfDeactivation => "SELF_DEACTIVATION",
            Self::SignupExists => "REQUEST_IN_FLIGHT",
            Self::RequestReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Stale { .. } => "ETAG_MISMATCH",
            Self::PageToken(error) => error.reason(),
            Self::Idempotency(error) => error.reason(),
            Self::Upstream(error) => error.reason(),
            Self::Outbox(error) => error.reason(),
            Self::Database(error) => error.reason(),
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            Self::PageToken(error) => error.violations(),
            _ => &[],
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Stale { current } => vec![("current_version", current.to_string())],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Idempotency(error) => error.retry_after(),
            Self::Upstream(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}
