//! What can go wrong in a use case: kinds, reasons and field violations.
//!
//! Every crate has its own error type; what they have in common is [`Failure`], the view that the outside is shown. The
//! kind decides the gRPC code, the HTTP status and whether a message is retried; the reason is the stable name that
//! clients program against (the `Reason` enum of `taskman.common.v1`).

mod violation;

use std::time::Duration;

pub use violation::{Violation, Violations};

/// The sort of a failure: one for each row of the table in `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong; repeating it changes nothing.
    Invalid,
    /// Nobody, or nobody any more, is known to make the call.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// There is no such record in the caller's company.
    NotFound,
    /// Another record already has this name or key.
    AlreadyExists,
    /// The state of the record does not allow it.
    Refused,
    /// The record has changed since the caller read it.
    Stale,
    /// A limit is used up for now.
    Exhausted,
    /// The deadline passed.
    Timeout,
    /// Something needed is away; the call may be repeated.
    Unavailable,
    /// The method does not exist here.
    Unimplemented,
    /// A fault of ours. Its details are logged and never shown.
    Internal,
}

impl Kind {
    /// Says whether the same call can succeed later without anybody changing it.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Exhausted | Self::Timeout | Self::Unavailable)
    }
}

/// What the outside is shown of an error.
pub trait Failure: std::error::Error + Send + Sync + 'static {
    /// Returns the sort of the failure.
    fn kind(&self) -> Kind;

    /// Returns the stable reason, `SCREAMING_SNAKE_CASE`.
    fn reason(&self) -> &'static str;

    /// Returns what is wrong with which field, where the request is at fault.
    fn violations(&self) -> &[Violation] {
        &[]
    }

    /// Returns facts for programs, such as the state a task is in. Never secrets or addresses.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Returns after how long a repetition makes sense.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
