//! Limits that all replicas count together: GCRA in Redis, on Redis' clock.

use std::time::Duration;

use redis::{Script, ScriptInvocation};
use taskman_cache::RedisHandle;

use crate::quota::Quota;
use crate::verdict::Verdict;

/// Counts a call. Times are whole microseconds, which a double holds exactly; they are written by format, because
/// Lua's own conversion cuts them to 14 digits. Replies: allowed, remaining, retry after, reset.
///
/// A stored instant that is further away than the burst allows (a limit was lowered, the clock was set back) is drawn
/// nearer, so that nobody is locked out for longer than a full burst takes.
const GCRA: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local price, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid = tonumber(redis.call('GET', KEYS[1]) or now) or now
paid = math.min(math.max(paid, now), now + price * burst)
local next = paid + price
local earliest = next - price * burst
if earliest > now then return {0, 0, earliest - now, paid - now} end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', math.ceil((next - now) / 1000)))
return {1, math.floor((now - earliest) / price), 0, next - now}
";

#[derive(Debug)]
pub(crate) struct RedisTier {
    redis: RedisHandle,
    service: &'static str,
    gcra: Script,
}

impl RedisTier {
    pub(crate) fn new(redis: RedisHandle, service: &'static str) -> Self {
        Self { redis, service, gcra: Script::new(GCRA) }
    }

    /// Counts a call; none when Redis is away.
    pub(crate) async fn check(&self, quota: &Quota, key: &str) -> Option<Verdict> {
        let price = u64::try_from(quota.price().as_micros()).unwrap_or(u64::MAX);
        let mut gcra: ScriptInvocation<'_> = self.gcra.key(format!("{}:limit:{}:{key}", self.service, quota.class));
        gcra.arg(price).arg(quota.burst.get());
        let (allowed, remaining, retry_after, reset): (bool, u32, u64, u64) =
            self.redis.call(async |manager| gcra.invoke_async(manager).await).await?;
        Some(Verdict {
            allowed,
            remaining,
            limit: quota.burst.get(),
            retry_after: Duration::from_micros(retry_after),
            reset: Duration::from_micros(reset),
        })
    }
}
