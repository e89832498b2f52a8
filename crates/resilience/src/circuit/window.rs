//! Counts calls, failures and slow answers over a sliding span of time.

use std::time::{Duration, Instant};

const SLOTS: usize = 10;

/// The counts of the last span, kept in ten slots of which the oldest is given up as time goes on.
#[derive(Debug)]
pub(super) struct Window {
    start: Instant,
    slot: Duration,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    tick: u128,
    tally: Tally,
}

/// How many calls there were, and how many of them were bad in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
}

impl Window {
    /// Starts counting at `now`.
    pub(super) fn starting(now: Instant, span: Duration) -> Self {
        let slot = (span / 10).max(Duration::from_millis(1));
        Self { start: now, slot, slots: [Slot::default(); SLOTS] }
    }

    /// Counts one call and returns the sums of the span that ends with it.
    pub(super) fn record(&mut self, now: Instant, failed: bool, slow: bool) -> Tally {
        let elapsed = now.saturating_duration_since(self.start);
        let tick = elapsed.as_nanos() / self.slot.as_nanos();
        let index = usize::try_from(tick % SLOTS as u128).unwrap_or(0);
        if self.slots[index].tick != tick {
            self.slots[index] = Slot { tick, tally: Tally::default() };
        }
        self.slots[index].tally.add(Tally { calls: 1, failed: u32::from(failed), slow: u32::from(slow) });
        let mut sum = Tally::default();
        for slot in self.slots.iter().filter(|slot| slot.tick + SLOTS as u128 > tick) {
            sum.add(slot.tally);
        }
        sum
    }
}

impl Tally {
    pub(super) fn failed_ratio(self) -> f64 {
        ratio(self.failed, self.calls)
    }

    pub(super) fn slow_ratio(self) -> f64 {
        ratio(self.slow, self.calls)
    }

    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failed = self.failed.saturating_add(other.failed);
        self.slow = self.slow.saturating_add(other.slow);
    }
}

fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(10);

    #[test]
    fn calls_older_than_the_span_are_forgotten() {
        let start = Instant::now();
        let mut window = Window::starting(start, SPAN);
        for _ in 0..7 {
            window.record(start, true, false);
        }
        let within = window.record(start + Duration::from_secs(9), false, true);
        assert_eq!(within, Tally { calls: 8, failed: 7, slow: 1 });
        let after = window.record(start + Duration::from_secs(11), false, false);
        assert_eq!(after, Tally { calls: 2, failed: 0, slow: 1 });
    }

    #[test]
    fn a_slot_is_not_mistaken_for_its_predecessor_of_an_earlier_round() {
        let start = Instant::now();
        let mut window = Window::starting(start, SPAN);
        window.record(start + Duration::from_secs(3), true, true);
        let later = window.record(start + Duration::from_secs(3_003), false, false);
        assert_eq!(later, Tally { calls: 1, failed: 0, slow: 0 });
    }

    #[test]
    fn an_empty_tally_has_no_ratio() {
        assert!(Tally::default().failed_ratio().abs() < f64::EPSILON);
    }
}
