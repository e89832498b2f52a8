//! What can go wrong in the authorization service. A denial is an answer, none of these.

use std::sync::Arc;
use std::time::Duration;

use taskman_errors::{Failure, Kind, Violation};
use taskman_messaging as messaging;
use taskman_postgres as postgres;
use taskman_rpc::UpstreamError;

use crate::domain::position::Stream;
use crate::domain::rules::NoCompiler;

/// After how long a decision may be asked for again that failed because facts are missing: a stream takes milliseconds,
/// and half a second to be opened again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The facts are older than the decision may rest on.
    #[error("the facts of the decision are too old; try again")]
    Stale(Stream),
    /// The facts do not reach the position that the caller has seen.
    #[error("the facts of the decision do not reach the position asked for; try again")]
    Behind(Stream),
    /// Nothing has been heard yet of the company.
    #[error("the company is not known yet; try again")]
    CompanyUnknown,
    /// The user service could not be asked about the subject.
    #[error("the subject cannot be looked up at present; try again")]
    SubjectUnavailable(#[source] Arc<UpstreamError>),
    /// The attributes of a record, on which the decision depends, could not be asked for.
    #[error("the attributes of the record cannot be looked up at present; try again")]
    AttributesUnavailable,
    /// A stream could not be opened, or broke.
    #[error("the stream of changes broke")]
    Stream(#[from] UpstreamError),
    /// A change of a stream is not understood. It must not be passed over: it could be a revocation.
    #[error("the change {0} of a stream is not understood")]
    ChangeMalformed(i64),
    /// Policies could not be compiled.
    #[error(transparent)]
    NoCompiler(#[from] NoCompiler),
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
            Self::Invalid(_) => Kind::Invalid,
            Self::Stale(_)
            | Self::Behind(_)
            | Self::CompanyUnknown
            | Self::SubjectUnavailable(_)
            | Self::AttributesUnavailable
            | Self::Stream(_)
            | Self::NoCompiler(_) => Kind::Unavailable,
            Self::ChangeMalformed(_) => Kind::Internal,
            Self::Outbox(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "FIELD_INVALID",
            Self::Stale(_) | Self::Behind(_) | Self::CompanyUnknown => "STALE_SNAPSHOT",
            Self::SubjectUnavailable(_) | Self::AttributesUnavailable | Self::Stream(_) | Self::NoCompiler(_) => {
                "UNAVAILABLE"
            }
            Self::ChangeMalformed(_) => "INTERNAL",
            Self::Outbox(error) => error.reason(),
            Self::Database(error) => error.reason(),
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            _ => &[],
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Stale(stream) | Self::Behind(stream) => vec![("stream", stream.as_str().to_owned())],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Stale(_) | Self::Behind(_) | Self::CompanyUnknown | Self::AttributesUnavailable => Some(RETRY_AFTER),
            Self::SubjectUnavailable(error) => error.retry_after().or(Some(RETRY_AFTER)),
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}
