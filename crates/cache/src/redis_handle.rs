//! A connection to Redis that costs nothing while Redis is away.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError, RedisResult};
use secrecy::ExposeSecret;
use taskman_resilience::{Gate, Settings};

use crate::config::{Config, ConfigInvalid};

/// One shared, multiplexed connection behind a circuit breaker. It connects with the first call, and again by itself.
#[derive(Clone)]
pub struct RedisHandle {
    manager: ConnectionManager,
    gate: Gate,
    response_timeout: Duration,
}

impl std::fmt::Debug for RedisHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisHandle").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// Why a call of Redis has no result.
enum Lost {
    Late,
    Error(RedisError),
}

impl RedisHandle {
    /// Prepares a connection for `service` without connecting; none when no URL is configured.
    pub fn prepare(config: &Config, service: &'static str) -> Result<Option<Self>, ConfigInvalid> {
        let Some(url) = &config.url else { return Ok(None) };
        let client = Client::open(url.expose_secret()).map_err(|_| ConfigInvalid)?;
        let response_timeout = config.response_timeout();
        // The first attempt is all a call waits for; the next call is the next attempt.
        let manager = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(response_timeout))
            .set_response_timeout(Some(response_timeout));
        let manager = ConnectionManager::new_lazy_with_config(client, manager).map_err(|_| ConfigInvalid)?;
        // Half a second of slow answers is bad for a cache, and coming back late costs only latency.
        let settings =
            Settings { slow_after: None, longest_wait: Duration::from_secs(2), probes: 1, ..Settings::default() };
        Ok(Some(Self { manager, gate: Gate::with_settings(service, "redis", settings), response_timeout }))
    }

    /// Makes a call; none when Redis is away, late or refuses it. The caller goes on without Redis then.
    pub async fn call<T>(&self, call: impl AsyncFnOnce(&mut ConnectionManager) -> RedisResult<T>) -> Option<T> {
        let mut manager = self.manager.clone();
        let work = async {
            match tokio::time::timeout(self.response_timeout, call(&mut manager)).await {
                Ok(done) => done.map_err(Lost::Error),
                Err(_) => Err(Lost::Late),
            }
        };
        match self.gate.run(Lost::is_redis_gone, work).await {
            Ok(value) => Some(value),
            Err(rejected) => {
                if let taskman_resilience::Rejected::Failed(Lost::Error(error)) = rejected {
                    tracing::debug!(redis.error = error.category(), "a call of Redis failed");
                }
                None
            }
        }
    }
}

impl Lost {
    /// A refusal (out of memory, read-only, wrong type) comes from a Redis that is there: reads may go on working.
    fn is_redis_gone(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Error(error) => {
                !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType)
            }
        }
    }
}
