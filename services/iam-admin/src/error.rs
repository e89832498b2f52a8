//! What can go wrong in the IAM admin service.

use std::time::Duration;

use taskman_errors::{Failure, Kind, Violation};
use taskman_messaging as messaging;
use taskman_paging::PageTokenInvalid;
use taskman_postgres::{self as postgres, idempotency::Refusal};

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Fields of the request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// There is no such role in the caller's company, or the user does not hold it.
    #[error("there is no such role")]
    NotFound,
    /// The caller would give away more than they hold.
    #[error("the role grants more than you hold yourself")]
    Escalation,
    /// The company would be left without an administrator.
    #[error("the last administrator of the company stays")]
    LastAdministrator,
    /// The company was provisioned for another first user.
    #[error("the company was provisioned with another administrator")]
    ProvisionedOtherwise,
    /// The company has no roles yet: its sign-up is still going on.
    #[error("the company has not been provisioned yet")]
    NotProvisioned,
    /// The page token is not one of this list.
    #[error(transparent)]
    PageToken(#[from] PageTokenInvalid),
    /// The idempotency key does not let the call go on.
    #[error(transparent)]
    Idempotency(#[from] Refusal),
    /// An event could not be recorded.
    #[error(transparent)]
    Outbox(#[from] messaging::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] postgres::Error),
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

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::ProvisionedOtherwise => Kind::Invalid,
            Self::NotFound => Kind::NotFound,
            Self::Escalation => Kind::Forbidden,
            Self::LastAdministrator => Kind::Refused,
            Self::NotProvisioned => Kind::Unavailable,
            Self::PageToken(error) => error.kind(),
            Self::Idempotency(error) => error.kind(),
            Self::Outbox(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "FIELD_INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::Escalation => "ESCALATION",
            Self::LastAdministrator => "LAST_ADMINISTRATOR",
            Self::ProvisionedOtherwise => "IDEMPOTENCY_KEY_REUSED",
            Self::NotProvisioned => "UNAVAILABLE",
            Self::PageToken(error) => error.reason(),
            Self::Idempotency(error) => error.reason(),
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

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Idempotency(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}
