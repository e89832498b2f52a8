//! The memory tier, and the loads that are under way in this process.
//!
//! One lock orders loads, writes and the memory tier: a load that began before a write can neither be joined after the
//! write nor store its result.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache as Memory;
use tokio::sync::watch;

use crate::Entry;

/// How long a version is remembered that Redis may not have heard of. By then the service's own event has repeated it.
const FLOOR_TTL: Duration = Duration::from_mins(1);
const FLOORS: u64 = 100_000;

/// A record of any type.
pub(crate) type Held = Arc<dyn Any + Send + Sync>;
/// What a load found; none when there is no such record.
pub(crate) type Landed = Option<Held>;

pub(crate) struct Local {
    memory: Memory<Arc<str>, Held>,
    floors: Memory<Arc<str>, i64>,
    flights: Mutex<Flights>,
}

#[derive(Default)]
struct Flights {
    count: u64,
    by_key: HashMap<Arc<str>, Flight>,
}

struct Flight {
    number: u64,
    landing: watch::Receiver<Option<Landed>>,
}

/// The place of a caller on the load of a key.
pub(crate) enum Seat<'a> {
    /// The caller loads, for itself and all passengers.
    Pilot(Pilot<'a>),
    /// Somebody else loads; the channel closes without a value when they fail.
    Passenger(watch::Receiver<Option<Landed>>),
}

/// The caller who loads. Dropping it without a landing lets a passenger take over.
pub(crate) struct Pilot<'a> {
    local: &'a Local,
    key: Arc<str>,
    number: u64,
    landing: watch::Sender<Option<Landed>>,
}

impl Local {
    pub(crate) fn new(entries: u64, ttl: Duration) -> Self {
        Self {
            memory: Memory::builder().max_capacity(entries).time_to_live(ttl).build(),
            floors: Memory::builder().max_capacity(FLOORS).time_to_live(FLOOR_TTL).build(),
            flights: Mutex::default(),
        }
    }

    pub(crate) fn get<T: Entry>(&self, key: &str) -> Option<Arc<T>> {
        self.memory.get(key)?.downcast().ok()
    }

    /// Returns the least version that may be read from Redis: this process has written or loaded it.
    pub(crate) fn floor(&self, key: &str) -> i64 {
        self.floors.get(key).unwrap_or(i64::MIN)
    }

    /// Boards the load of `key` that is under way, or starts it.
    pub(crate) fn board(&self, key: &Arc<str>) -> Seat<'_> {
        let mut flights = self.flights();
        if let Some(flight) = flights.by_key.get(key) {
            return Seat::Passenger(flight.landing.clone());
        }
        flights.count += 1;
        let number = flights.count;
        let (sender, landing) = watch::channel(None);
        flights.by_key.insert(Arc::clone(key), Flight { number, landing });
        Seat::Pilot(Pilot { local: self, key: Arc::clone(key), number, landing: sender })
    }

    /// Notes that `version` was read from the source: Redis may not have heard of it, and has nothing newer to offer when
    /// it offers less.
    pub(crate) fn loaded(&self, key: &Arc<str>, version: i64) {
        let _flights = self.flights();
        self.raise_floor(key, version);
    }

    /// Notes that `version` was written: what was read before is forgotten, and loads under way do not count any more.
    pub(crate) fn written(&self, key: &Arc<str>, version: i64) {
        let mut flights = self.flights();
        flights.by_key.remove(key);
        self.memory.invalidate(key);
        self.raise_floor(key, version);
    }

    /// To be called under the lock.
    fn raise_floor(&self, key: &Arc<str>, version: i64) {
        if version > self.floor(key) {
            self.floors.insert(Arc::clone(key), version);
        }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pilot<'_> {
    /// Ends the load: passengers get the result, and the memory tier keeps it unless a write came in between.
    pub(crate) fn land(self, found: Landed) {
        {
            let mut flights = self.local.flights();
            if self.is_current(&flights) {
                flights.by_key.remove(&self.key);
                if let Some(held) = &found {
                    self.local.memory.insert(Arc::clone(&self.key), Arc::clone(held));
                }
            }
        }
        self.landing.send_replace(Some(found));
    }

    fn is_current(&self, flights: &Flights) -> bool {
        flights.by_key.get(&self.key).is_some_and(|flight| flight.number == self.number)
    }
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        let mut flights = self.local.flights();
        if self.is_current(&flights) {
            flights.by_key.remove(&self.key);
        }
    }
}
