//! What can go wrong in the audit service.

use std::time::Duration;

use taskman_errors::{Failure, Kind, Violation};
use taskman_messaging as messaging;
use taskman_paging::PageTokenInvalid;
use taskman_postgres as postgres;
use taskman_postgres::time_series::TimeSeriesError;

use crate::domain::seal::SealBroken;

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The page token is not one of this list.
    #[error(transparent)]
    PageToken(#[from] PageTokenInvalid),
    /// Personal data, or a key, could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealBroken),
    /// An event could not be recorded.
    #[error(transparent)]
    Outbox(#[from] messaging::Error),
    /// The days of the table could not be kept.
    #[error(transparent)]
    Days(#[from] TimeSeriesError),
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
        postgres::Error::from(error).into()
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::PageToken(error) => error.kind(),
            Self::Seal(_) => Kind::Internal,
            Self::Outbox(error) => error.kind(),
            Self::Days(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "FIELD_INVALID",
            Self::PageToken(error) => error.reason(),
            Self::Seal(_) => "INTERNAL",
            Self::Outbox(error) => error.reason(),
            Self::Days(error) => error.reason(),
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
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}
