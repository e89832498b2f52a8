//! What can go wrong in the notification service.

use std::time::Duration;

use taskman_access::AccessError;
use taskman_errors::{Failure, Kind, Violation};
use taskman_events::Malformed;
use taskman_messaging as messaging;
use taskman_paging::PageTokenInvalid;
use taskman_postgres::{self as postgres, idempotency::Refusal};
use taskman_rpc::UpstreamError;

use crate::domain::template::RenderError;

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The caller may not do what the request implies.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The page token is not one of this list.
    #[error(transparent)]
    PageToken(#[from] PageTokenInvalid),
    /// The idempotency key does not let the call go on.
    #[error(transparent)]
    Idempotency(#[from] Refusal),
    /// Another service did not answer as hoped.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// A template does not fit its values: a fault of ours.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// An attempt took longer than its lease, and another sender has begun the next one.
    #[error("another sender has taken the mail over")]
    TakenOver,
    /// An event is not what it claims to be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
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
            Self::Invalid(_) | Self::Malformed(_) => Kind::Invalid,
            Self::Access(error) => error.kind(),
            Self::PageToken(error) => error.kind(),
            Self::Idempotency(error) => error.kind(),
            Self::Upstream(error) => error.kind(),
            Self::Render(_) | Self::TakenOver => Kind::Internal,
            Self::Outbox(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "FIELD_INVALID",
            Self::Malformed(_) => "REQUEST_MALFORMED",
            Self::Access(error) => error.reason(),
            Self::PageToken(error) => error.reason(),
            Self::Idempotency(error) => error.reason(),
            Self::Upstream(error) => error.reason(),
            Self::Render(_) | Self::TakenOver => "INTERNAL",
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
            Self::Access(error) => error.metadata(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Access(error) => error.retry_after(),
            Self::Idempotency(error) => error.retry_after(),
            Self::Upstream(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}
