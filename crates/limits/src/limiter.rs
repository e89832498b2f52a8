//! The limiter of one service.

use std::sync::Arc;

use metrics::counter;
use taskman_cache::{Config, ConfigInvalid, RedisHandle};

use crate::local::Local;
use crate::quota::Quota;
use crate::redis_tier::RedisTier;
use crate::verdict::Verdict;

/// Counts calls, together with the other replicas while Redis is there. Clones share it.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    shared: Option<RedisTier>,
    local: Local,
}

impl Limiter {
    /// Prepares a limiter with a connection of its own, without connecting.
    pub fn new(config: &Config, service: &'static str) -> Result<Self, ConfigInvalid> {
        Ok(Self::on(RedisHandle::prepare(config, service)?, service))
    }

    /// Prepares a limiter on a connection that is there already, or for this process alone.
    pub fn on(redis: Option<RedisHandle>, service: &'static str) -> Self {
        let shared = redis.map(|redis| RedisTier::new(redis, service));
        Self(Arc::new(Inner { service, shared, local: Local::default() }))
    }

    /// Counts one call of `key` and says whether it may be made.
    ///
    /// `key` names who is counted: `{company}:{user}`, or a hash where it would be an address.
    pub async fn check(&self, quota: &Quota, key: &str) -> Verdict {
        let shared = match &self.0.shared {
            Some(shared) => shared.check(quota, key).await,
            None => None,
        };
        let tier = if shared.is_some() { "redis" } else { "local" };
        let verdict = shared.unwrap_or_else(|| self.0.local.check(quota, key));
        let allowed = if verdict.allowed { "true" } else { "false" };
        counter!("taskman_rate_limit_checks_total",
            "service" => self.0.service, "class" => quota.class, "tier" => tier, "allowed" => allowed)
        .increment(1);
        verdict
    }
}
