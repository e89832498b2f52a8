//! What can go wrong when servers are started, and the context that makes it understandable.

use std::{io, path::PathBuf};

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a server or a stack is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not on this machine.
    #[error("{0} is not installed; `scripts/setup` installs what is missing")]
    Missing(&'static str),
    /// Another living process holds the directory.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// No port is left in the range this crate takes ports from.
    #[error("no free port between {0} and {1}")]
    NoPort(u16, u16),
    /// A server ended, or did not answer in time, while it was starting.
    #[error("{server} did not start: {reason}\n{log}")]
    NotStarted {
        /// The server's name.
        server: &'static str,
        /// What happened.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, as a verb phrase.
        action: String,
        /// The refusal.
        source: io::Error,
    },
}

/// Names what was tried when the operating system refused it.
pub(crate) trait Trying<T> {
    /// Turns a refusal into an [`Error`] that starts with `cannot` and what `action` returns.
    fn trying(self, action: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Trying<T> for std::result::Result<T, E> {
    fn trying(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { action: action(), source: source.into() })
    }
}
