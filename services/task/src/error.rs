//! What can go wrong here, and what the outside is shown of it.

use std::time::Duration;

use taskman_access::AccessError;
use taskman_errors::{Failure, Kind, Violation};
use taskman_paging::PageTokenInvalid;
use taskman_postgres::idempotency;
use taskman_rpc::UpstreamError;

use crate::domain::{project, task};

/// The only error of this service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request itself is wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The page token belongs to another list, is damaged or too old.
    #[error(transparent)]
    PageToken(#[from] PageTokenInvalid),
    /// There is no such project in the caller's company.
    #[error("there is no such project")]
    ProjectNotFound,
    /// There is no such task in the caller's company.
    #[error("there is no such task")]
    TaskNotFound,
    /// Another project of the company has the key, or every key that the name leads to.
    #[error("another project has this key")]
    ProjectCodeTaken,
    /// The record has changed since the caller read it.
    #[error("the record has changed since it was read; its version is {current}")]
    Stale {
        /// The version that it has now.
        current: i32,
    },
    /// The project is over, or paused and does not let work begin.
    #[error("the project is {} and does not take this change", .status.as_str())]
    ProjectClosed {
        /// Its state.
        status: project::Status,
    },
    /// Only a task that is not begun can be given to somebody.
    #[error("a task that is {} cannot be assigned", .status.as_str())]
    TaskNotAssignable {
        /// Its state.
        status: task::Status,
    },
    /// Only a running task can be completed.
    #[error("a task that is {} cannot be completed", .status.as_str())]
    TaskNotInProgress {
        /// Its state.
        status: task::Status,
    },
    /// The state of the task does not lead to the other one.
    #[error("a task that is {} cannot become {}", .from.as_str(), .to.as_str())]
    TaskInvalidTransition {
        /// Its state.
        from: task::Status,
        /// The state that was asked for.
        to: task::Status,
    },
    /// The assignee is unknown in the company, or not active; which of the two is not said.
    #[error("the assignee is not an active user of the company")]
    AssigneeInvalid,
    /// Somebody else than the assignee wants to complete the task.
    #[error("only its assignee can complete a task")]
    UnauthorizedCompletion,
    /// The user service did not say whether there is such an assignee.
    #[error("whether the assignee is an active user cannot be asked at present; try again")]
    UserServiceAway(#[source] UpstreamError),
    /// The caller may not do what the request implies, or nobody can decide it.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A call with this idempotency key was made before and was another one, or is still running.
    #[error(transparent)]
    Repeated(#[from] idempotency::Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] taskman_postgres::Error),
    /// The event could not be recorded.
    #[error(transparent)]
    Outbox(#[from] taskman_messaging::Error),
    /// A remembered reply could not be written or read.
    #[error("a remembered reply is damaged")]
    Reply(#[from] serde_json::Error),
    /// A row holds what this program never wrote.
    #[error("the column {0} holds an unknown value")]
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

impl Error {
    /// The failure of another crate that this one passes on.
    fn inner(&self) -> Option<&dyn Failure> {
        match self {
            Self::PageToken(error) => Some(error),
            Self::Access(error) => Some(error),
            Self::Repeated(error) => Some(error),
            Self::Database(error) => Some(error),
            Self::Outbox(error) => Some(error),
            _ => None,
        }
    }

    /// The table: kind and reason of each error of our own.
    const fn own(&self) -> (Kind, &'static str) {
        match self {
            Self::Invalid(_) => (Kind::Invalid, "FIELD_INVALID"),
            Self::ProjectNotFound | Self::TaskNotFound => (Kind::NotFound, "NOT_FOUND"),
            Self::ProjectCodeTaken => (Kind::AlreadyExists, "PROJECT_CODE_TAKEN"),
            Self::Stale { .. } => (Kind::Stale, "ETAG_MISMATCH"),
            Self::ProjectClosed { .. } => (Kind::Refused, "PROJECT_CLOSED"),
            Self::TaskNotAssignable { .. } => (Kind::Refused, "TASK_NOT_ASSIGNABLE"),
            Self::TaskNotInProgress { .. } => (Kind::Refused, "TASK_NOT_IN_PROGRESS"),
            Self::TaskInvalidTransition { .. } => (Kind::Refused, "TASK_INVALID_TRANSITION"),
            Self::AssigneeInvalid => (Kind::Refused, "ASSIGNEE_INVALID"),
            Self::UnauthorizedCompletion => (Kind::Forbidden, "UNAUTHORIZED_COMPLETION"),
            // Whatever the other service said: without its answer nobody is refused and nobody is accepted (A5).
            Self::UserServiceAway(_) => (Kind::Unavailable, "UNAVAILABLE"),
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
        match self {
            Self::Stale { current } => vec![("version", current.to_string())],
            Self::ProjectClosed { status } => vec![("project_status", status.as_str().to_owned())],
            Self::TaskNotAssignable { status } | Self::TaskNotInProgress { status } => {
                vec![("status", status.as_str().to_owned())]
            }
            Self::TaskInvalidTransition { from, to } => {
                vec![("from", from.as_str().to_owned()), ("to", to.as_str().to_owned())]
            }
            _ => self.inner().map(Failure::metadata).unwrap_or_default(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::UserServiceAway(error) => error.retry_after(),
            _ => self.inner().and_then(Failure::retry_after),
        }
    }
}
