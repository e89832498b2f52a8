//! Until when an answer is of use, carried through a task and from hop to hop.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

/// The header in which gRPC carries the time that is left.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// No deadline is further away than this: a day is forever for a call.
const FARTHEST: Duration = Duration::from_hours(24);

tokio::task_local! {
    static CURRENT: Deadline;
}

/// The instant after which nobody waits for the answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

/// The deadline passed before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline has passed")]
pub struct Expired;

impl Deadline {
    /// What each hop keeps of the time it was given, for the way back to its caller.
    pub const HOP: Duration = Duration::from_millis(10);

    /// Returns the deadline that passes after `time`, which is cut to a day.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time.min(FARTHEST))
    }

    /// Reads the deadline that the caller of a gRPC method has sent; none when there is none or it is malformed.
    pub fn from_grpc_timeout(headers: &HeaderMap) -> Option<Self> {
        parse(headers.get(GRPC_TIMEOUT)?.to_str().ok()?).map(Self::after)
    }

    /// Returns the instant itself, for timers.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Returns the time that is left, zero when none is.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Says whether the deadline has passed.
    pub fn is_past(self) -> bool {
        self.remaining().is_zero()
    }

    /// Returns the deadline to hand to the next hop, or none when too little time is left to start one.
    ///
    /// A server asks the same on arrival: a call for which this is none is refused before any work.
    pub fn for_next_hop(self) -> Option<Self> {
        let earlier = self.0.checked_sub(Self::HOP)?;
        (earlier > Instant::now()).then_some(Self(earlier))
    }

    /// Returns the time that is left as a `grpc-timeout`; the next hop's share is not subtracted here.
    pub fn to_grpc_timeout_header(self) -> HeaderValue {
        // At most eight digits are allowed: microseconds up to 100 s, milliseconds up to a day.
        const EIGHT_DIGITS: u128 = 99_999_999;
        let left = self.remaining();
        let text = if left.as_micros() <= EIGHT_DIGITS {
            format!("{}u", left.as_micros())
        } else {
            format!("{}m", left.as_millis())
        };
        // Digits and a unit are always a valid header value; a zero timeout would refuse the call, never prolong it.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0u"))
    }
}

/// Returns the deadline of the running task, when it is within a [`scope`].
pub fn current() -> Option<Deadline> {
    CURRENT.try_with(|deadline| *deadline).ok()
}

/// Runs `work` under `deadline`; an enclosing scope that ends earlier goes on to hold.
///
/// The scope tells what the deadline is ([`current`]) and stops nothing by itself; see [`enforce`]. Spawned tasks
/// start outside.
pub async fn scope<F: Future>(deadline: Deadline, work: F) -> F::Output {
    let deadline = current().map_or(deadline, |outer| outer.min(deadline));
    CURRENT.scope(deadline, work).await
}

/// Runs `work` and drops it when the current deadline passes; without one it runs to its end.
pub async fn enforce<F: Future>(work: F) -> Result<F::Output, Expired> {
    match current() {
        Some(deadline) => tokio::time::timeout_at(deadline.instant(), work).await.map_err(|_| Expired),
        None => Ok(work.await),
    }
}

/// Parses the `TimeoutValue TimeoutUnit` of the gRPC protocol: one to eight digits and one of `HMSmun`.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &'static str) -> Option<Deadline> {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static(value));
        Deadline::from_grpc_timeout(&headers)
    }

    #[tokio::test(start_paused = true)]
    async fn every_unit_of_the_protocol_is_read() {
        let read = |value| sent(value).map(Deadline::remaining);
        assert_eq!(read("2H"), Some(Duration::from_hours(2)));
        assert_eq!(read("3M"), Some(Duration::from_mins(3)));
        assert_eq!(read("4S"), Some(Duration::from_secs(4)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(read("99999999H"), Some(FARTHEST), "an absurd timeout is cut");
    }

    #[test]
    fn malformed_timeouts_are_no_deadline() {
        for value in ["", "m", "5", "5x", "+5m", "-5m", "1.5S", "123456789m", "5 m"] {
            assert_eq!(sent(value), None, "{value:?}");
        }
        assert_eq!(Deadline::from_grpc_timeout(&HeaderMap::new()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_is_read_back() {
        for time in [Duration::from_micros(7), Duration::from_millis(1_500), Duration::from_mins(2), FARTHEST] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, Deadline::after(time).to_grpc_timeout_header());
            assert_eq!(Deadline::from_grpc_timeout(&headers).map(Deadline::remaining), Some(time));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_hop_keeps_its_share_until_none_is_left() {
        let first = Deadline::after(Duration::from_millis(25));
        let second = first.for_next_hop().expect("15 ms are left");
        assert_eq!(second.remaining(), Duration::from_millis(15));
        let third = second.for_next_hop().expect("5 ms are left");
        assert_eq!(third.for_next_hop(), None);
        tokio::time::advance(Duration::from_millis(25)).await;
        assert!(first.is_past());
        assert_eq!(first.for_next_hop(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_inner_scope_cannot_prolong_the_outer_one() {
        let (short, long) = (Deadline::after(Duration::from_secs(1)), Deadline::after(Duration::from_secs(9)));
        assert_eq!(current(), None);
        scope(short, async {
            assert_eq!(scope(long, async { current() }).await, Some(short));
        })
        .await;
        scope(long, async {
            assert_eq!(scope(short, async { current() }).await, Some(short));
            assert_eq!(current(), Some(long));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_outlasts_the_deadline_is_dropped() {
        let endless = scope(Deadline::after(Duration::from_millis(20)), enforce(std::future::pending::<()>()));
        assert_eq!(endless.await, Err(Expired));
        assert_eq!(enforce(async { 7 }).await, Ok(7));
    }
}
