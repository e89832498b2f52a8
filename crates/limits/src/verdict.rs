//! Whether a call may be made, and what the client is told about its limit.

use std::time::Duration;

use taskman_errors::{Failure, Kind};

/// What the limiter says to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call may be made.
    pub allowed: bool,
    /// How many more calls could be made right now.
    pub remaining: u32,
    /// How many calls could be made after a rest.
    pub limit: u32,
    /// After how long the next call may be made; zero when this one may.
    pub retry_after: Duration,
    /// After how long everything is paid for.
    pub reset: Duration,
}

impl Verdict {
    /// Turns a refusal into an error.
    pub fn into_result(self) -> Result<Self, RateLimited> {
        if self.allowed { Ok(self) } else { Err(RateLimited { retry_after: self.retry_after }) }
    }
}

/// Says that a limit is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rate limit is used up")]
pub struct RateLimited {
    /// After how long the call may be made.
    pub retry_after: Duration,
}

impl Failure for RateLimited {
    fn kind(&self) -> Kind {
        Kind::Exhausted
    }

    fn reason(&self) -> &'static str {
        "RATE_LIMITED"
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.retry_after)
    }
}
