//! Limits that this process counts alone, while Redis is away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota as Rate, RateLimiter};

use crate::quota::Quota;
use crate::verdict::Verdict;

/// After so many calls the keys that have paid for everything are forgotten, which bounds their number: whoever made
/// calls lately is remembered, and only this many can have.
const TIDY_EVERY: u32 = 10_000;

type Keyed = RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

#[derive(Default)]
pub(crate) struct Local {
    limiters: RwLock<HashMap<Quota, Arc<Keyed>>>,
    clock: DefaultClock,
    calls: AtomicU32,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Local {
    pub(crate) fn check(&self, quota: &Quota, key: &str) -> Verdict {
        let limiter = self.limiter(quota);
        if self.calls.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            self.tidy();
        }
        let limit = quota.burst.get();
        match limiter.check_key(&key.to_owned()) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset = quota.price() * (limit - remaining.min(limit));
                Verdict { allowed: true, remaining, limit, retry_after: Duration::ZERO, reset }
            }
            Err(refusal) => {
                let retry_after = refusal.wait_time_from(self.clock.now());
                Verdict {
                    allowed: false,
                    remaining: 0,
                    limit,
                    retry_after,
                    reset: retry_after + quota.price() * (limit - 1),
                }
            }
        }
    }

    fn tidy(&self) {
        for limiter in self.limiters.read().unwrap_or_else(PoisonError::into_inner).values() {
            limiter.retain_recent();
        }
    }

    fn limiter(&self, quota: &Quota) -> Arc<Keyed> {
        if let Some(limiter) = self.limiters.read().unwrap_or_else(PoisonError::into_inner).get(quota) {
            return Arc::clone(limiter);
        }
        let mut limiters = self.limiters.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(limiters.entry(*quota).or_insert_with(|| {
            // A price is never zero, so there always is a rate.
            let rate = Rate::with_period(quota.price()).unwrap_or_else(|| Rate::per_minute(quota.per_minute));
            Arc::new(RateLimiter::keyed(rate.allow_burst(quota.burst)).with_middleware())
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn quota(class: &'static str, burst: u32) -> Quota {
        Quota { class, per_minute: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() }
    }

    #[test]
    fn keys_and_classes_are_counted_apart() {
        let local = Local::default();
        assert!(local.check(&quota("read", 1), "a").allowed);
        assert!(!local.check(&quota("read", 1), "a").allowed);
        assert!(local.check(&quota("read", 1), "b").allowed);
        assert!(local.check(&quota("write", 1), "a").allowed);
    }

    #[test]
    fn keys_that_have_paid_are_forgotten() {
        let local = Local::default();
        let fast = Quota::per_minute("read", NonZeroU32::new(60_000_000).unwrap());
        for call in 0..TIDY_EVERY * 2 {
            local.check(&fast, &call.to_string());
        }
        let known = local.limiter(&fast).len();
        assert!(known < 10, "{known} keys are known");
    }

    proptest! {
        #[test]
        fn a_burst_lets_through_exactly_its_size(burst in 1_u32..200) {
            let local = Local::default();
            for left in (0..burst).rev() {
                let verdict = local.check(&quota("read", burst), "a");
                prop_assert!(verdict.allowed);
                prop_assert_eq!((verdict.remaining, verdict.limit), (left, burst));
            }
            let refused = local.check(&quota("read", burst), "a");
            prop_assert!(!refused.allowed && refused.retry_after > Duration::from_secs(50));
            prop_assert!(refused.reset >= refused.retry_after);
        }
    }
}
