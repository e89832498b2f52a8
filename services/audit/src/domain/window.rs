//! The span of time that a question is about.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How much is shown to who does not say when.
const DEFAULT: TimeDelta = TimeDelta::hours(24);
/// The most that one question may span.
const LONGEST: TimeDelta = TimeDelta::days(31);

/// From an instant until before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// Says why there is no such window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowInvalid {
    /// It would end before it begins.
    #[error("must be before end")]
    Backwards,
    /// It would span too much.
    #[error("must be at most 31 days before end")]
    TooLong,
}

impl Window {
    /// Fills in what the question leaves open: the end is now, the start 24 hours before the end.
    pub fn resolve(
        start: Option<DateTime<Utc>>,
        end: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Self, WindowInvalid> {
        let end = end.unwrap_or(now);
        let start = start.unwrap_or_else(|| end.checked_sub_signed(DEFAULT).unwrap_or(DateTime::<Utc>::MIN_UTC));
        if start >= end {
            return Err(WindowInvalid::Backwards);
        }
        if end.signed_duration_since(start) > LONGEST {
            return Err(WindowInvalid::TooLong);
        }
        Ok(Self { start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    #[test]
    fn what_is_left_open_is_the_last_day() {
        let now = at(100);
        assert_eq!(Window::resolve(None, None, now), Ok(Window { start: at(99), end: now }));
        assert_eq!(Window::resolve(None, Some(at(50)), now), Ok(Window { start: at(49), end: at(50) }));
        assert_eq!(Window::resolve(Some(at(90)), None, now), Ok(Window { start: at(90), end: now }));
    }

    #[test]
    fn a_window_has_at_most_31_days_and_runs_forwards() {
        let now = at(100);
        assert!(Window::resolve(Some(at(69)), None, now).is_ok());
        let longer = at(69) - TimeDelta::microseconds(1);
        assert_eq!(Window::resolve(Some(longer), None, now), Err(WindowInvalid::TooLong));
        assert_eq!(Window::resolve(Some(now), Some(now), now), Err(WindowInvalid::Backwards));
        assert_eq!(Window::resolve(Some(at(101)), None, now), Err(WindowInvalid::Backwards));
    }
}
