//! The cache of one service: reading through it, and telling it of writes.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use metrics::counter;
use redis::{Script, ScriptInvocation};
use taskman_ids::CompanyId;
use tokio::runtime::Handle;

use crate::config::{Config, ConfigInvalid};
use crate::entry::{self, Entry, Written};
use crate::local::{Held, Landed, Local, Pilot, Seat};
use crate::owed::Owed;
use crate::redis_handle::RedisHandle;

/// Stores a value unless the one that is there has at least the version of the first argument; returns the one that is
/// kept, or false.
const PUT: &str = r"
local kept = redis.call('GET', KEYS[1])
local version = kept and tonumber(string.match(kept, '^(%-?%d+)\n'))
if version and version >= tonumber(ARGV[1]) then return kept end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return false
";

/// How often writes are repeated that Redis has missed, until it has heard of all of them.
const REPEAT_EVERY: Duration = Duration::from_secs(1);

/// How often a caller joins a load of somebody else before it loads alone.
const JOINS: usize = 2;

/// The cache of one service. Clones share it.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    service: &'static str,
    local: Local,
    owed: Owed,
    redis: Option<RedisHandle>,
    put: Script,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("service", &self.0.service).field("redis", &self.0.redis).finish_non_exhaustive()
    }
}

impl Cache {
    /// Prepares the cache of `service` without connecting.
    pub fn new(config: &Config, service: &'static str) -> Result<Self, ConfigInvalid> {
        Ok(Self(Arc::new(Inner {
            service,
            local: Local::new(config.memory_entries, config.memory_ttl()),
            owed: Owed::default(),
            redis: RedisHandle::prepare(config, service)?,
            put: Script::new(PUT),
        })))
    }

    /// Returns the connection to Redis, where one is configured.
    pub fn redis(&self) -> Option<RedisHandle> {
        self.0.redis.clone()
    }

    /// Returns the record, from memory, from Redis, or from `load`, which is awaited by one caller at a time.
    ///
    /// `load` reads the source of truth; what it does not find is not remembered, and its error goes to the caller whose
    /// `load` it was.
    pub async fn get_or_load<T: Entry, E>(
        &self,
        company: CompanyId,
        id: impl Display,
        load: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Option<Arc<T>>, E> {
        let key = self.key::<T>(company, &id);
        if let Some(entry) = self.0.local.get(&key) {
            self.count::<T>("taskman_cache_hits_total", "memory");
            return Ok(Some(entry));
        }
        self.count::<T>("taskman_cache_misses_total", "memory");
        for _ in 0..JOINS {
            match self.0.local.board(&key) {
                Seat::Pilot(pilot) => return self.fetch(pilot, &key, load).await,
                Seat::Passenger(mut landing) => {
                    let landed = landing.wait_for(Option::is_some).await.ok().and_then(|landed| landed.clone());
                    match landed.map(downcast) {
                        Some(Ok(found)) => return Ok(found),
                        // Another type uses the same kind: never share with it.
                        Some(Err(_)) => break,
                        // The load failed or was given up: take over, or join whoever did.
                        None => {}
                    }
                }
            }
        }
        Ok(load.await?.map(Arc::new))
    }

    /// Makes `entry` the cached version, unless a greater one is there. To be called after the commit that made it.
    pub async fn put<T: Entry>(&self, company: CompanyId, id: impl Display, entry: &T) {
        let key = self.key::<T>(company, &id);
        self.0.local.written(&key, entry.version());
        if let Some(value) = entry::write(entry) {
            self.tell::<T>(&key, entry.version(), &value).await;
        }
    }

    /// Makes everything older than `version` invalid without saying what is valid. To be called after the commit of a
    /// change whose whole record is not at hand, or of a deletion, with a version greater than the deleted one's.
    pub async fn tombstone<T: Entry>(&self, company: CompanyId, id: impl Display, version: i64) {
        let key = self.key::<T>(company, &id);
        self.0.local.written(&key, version);
        self.tell::<T>(&key, version, &entry::write_tombstone(version)).await;
    }

    /// Tells Redis of a write. When it misses that, it is told again until it has heard.
    async fn tell<T: Entry>(&self, key: &Arc<str>, version: i64, value: &str) {
        if self.0.redis.is_none() || self.store::<T>(key, version, value).await.is_ok() {
            return;
        }
        if self.0.owed.add(key, version, T::TTL) {
            match Handle::try_current() {
                // It ends by itself once nothing is owed, or with the cache.
                Ok(runtime) => drop(runtime.spawn(repeat(Arc::downgrade(&self.0)))),
                Err(_) => self.0.owed.give_up(),
            }
        }
    }

    /// Makes invalid in Redis what it still holds of older versions; stops at the first write that it misses again.
    async fn repeat_owed(&self) {
        for (key, debt) in self.0.owed.list() {
            // Somebody else may have told it meanwhile. A record of this version is as good as the tombstone.
            let told = self.0.owed.version(&key) != Some(debt.version)
                || self.run_put(&key, debt.version, &entry::write_tombstone(debt.version), debt.ttl).await.is_ok();
            if !told {
                return;
            }
            self.0.owed.paid(&key, debt.version);
        }
    }

    async fn fetch<T: Entry, E>(
        &self,
        pilot: Pilot<'_>,
        key: &Arc<str>,
        load: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Option<Arc<T>>, E> {
        if let Some(entry) = self.read::<T>(key).await {
            self.count::<T>("taskman_cache_hits_total", "redis");
            let entry = Arc::new(entry);
            pilot.land(Some(Arc::clone(&entry) as Held));
            return Ok(Some(entry));
        }
        self.count::<T>("taskman_cache_misses_total", "redis");
        let found = match load.await? {
            Some(entry) => Some(Arc::new(self.fill(key, entry).await)),
            None => None,
        };
        pilot.land(found.as_ref().map(|entry| Arc::clone(entry) as Held));
        Ok(found)
    }

    async fn read<T: Entry>(&self, key: &str) -> Option<T> {
        let redis = self.0.redis.as_ref()?;
        let value: Option<Vec<u8>> =
            redis.call(async |manager| redis::cmd("GET").arg(key).query_async(manager).await).await?;
        let value = value?;
        let written = Written::parse(&value)?;
        if written.version < self.floor(key) {
            return None;
        }
        written.entry()
    }

    /// Puts what was loaded into Redis; returns it, or the newer record that somebody put there meanwhile.
    async fn fill<T: Entry>(&self, key: &Arc<str>, entry: T) -> T {
        if entry.version() < self.floor(key) {
            return entry; // read before a write that is known here
        }
        self.0.local.loaded(key, entry.version());
        let Some(value) = entry::write(&entry) else { return entry };
        let kept = self.store::<T>(key, entry.version(), &value).await;
        kept.ok().flatten().and_then(|kept| Written::parse(&kept)?.entry()).unwrap_or(entry)
    }

    /// Returns the least version that may be read from Redis.
    fn floor(&self, key: &str) -> i64 {
        self.0.local.floor(key).max(self.0.owed.version(key).unwrap_or(i64::MIN))
    }

    /// Puts a value over older ones and over one of the same version; returns the newer value that was kept instead.
    async fn store<T: Entry>(&self, key: &str, version: i64, value: &str) -> Result<Option<Vec<u8>>, Missed> {
        let kept = self.run_put(key, version.saturating_add(1), value, T::TTL).await?;
        self.0.owed.paid(key, version);
        Ok(kept)
    }

    /// Runs the script; `stays` is the least version that is not replaced.
    async fn run_put(&self, key: &str, stays: i64, value: &str, ttl: Duration) -> Result<Option<Vec<u8>>, Missed> {
        let redis = self.0.redis.as_ref().ok_or(Missed)?;
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut put: ScriptInvocation<'_> = self.0.put.key(key);
        put.arg(stays).arg(value).arg(ttl);
        redis.call(async |manager| put.invoke_async(manager).await).await.ok_or(Missed)
    }

    /// The company stands before the id and has a fixed length, so that no id can reach into another company.
    fn key<T: Entry>(&self, company: CompanyId, id: &impl Display) -> Arc<str> {
        format!("{}:{}:{company}:{id}", self.0.service, T::KIND).into()
    }

    fn count<T: Entry>(&self, name: &'static str, tier: &'static str) {
        counter!(name, "service" => self.0.service, "kind" => T::KIND, "tier" => tier).increment(1);
    }
}

/// Redis was not there, or did not take it.
struct Missed;

/// Repeats what is owed until nothing is.
async fn repeat(cache: Weak<Inner>) {
    loop {
        tokio::time::sleep(REPEAT_EVERY).await;
        let Some(cache) = cache.upgrade().map(Cache) else { return };
        cache.repeat_owed().await;
        if cache.0.owed.is_settled() {
            return;
        }
    }
}

fn downcast<T: Entry>(landed: Landed) -> Result<Option<Arc<T>>, Held> {
    landed.map(Held::downcast).transpose()
}
