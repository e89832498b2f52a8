//! Rate limits: GCRA in Redis, locally when Redis is away.
//!
//! The generic cell rate algorithm keeps one instant per key: when the key will have paid for all it did. A call is let
//! through while that instant is no further away than the burst allows, and moves it by the price of one call, so limits
//! refill steadily instead of at the turn of a window. In Redis all replicas count together; while Redis is away each
//! replica counts for itself, which lets more through but never nothing and never everything.

mod limiter;
mod local;
mod quota;
mod redis_tier;
mod verdict;

pub use limiter::Limiter;
pub use quota::{Class, Quota, Quotas};
pub use taskman_cache::{Config, ConfigInvalid};
pub use verdict::{RateLimited, Verdict};
