//! What every event has: a routing key, an exchange and the record that it is about.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Exchange;

/// Something that happened. Declared by the `event!` macro of this crate.
pub trait Event: Serialize + DeserializeOwned + Send + Sync {
    /// The routing key, which is the name of the event: `task.assigned`.
    const KEY: &'static str;
    /// Where it is published.
    const EXCHANGE: Exchange;
    /// Whether any field is about a person.
    const PERSONAL: bool;

    /// Returns the record that it is about.
    fn aggregate(&self) -> Aggregate;
}

/// The record that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate {
    /// The sort of record, plural: `tasks`.
    pub kind: &'static str,
    /// Its id.
    pub id: Uuid,
    /// Its version after the event, where it counts versions.
    pub version: Option<i64>,
}

impl Aggregate {
    /// Names a record that counts its versions.
    pub fn versioned(kind: &'static str, id: impl Into<Uuid>, version: i32) -> Self {
        Self { kind, id: id.into(), version: Some(i64::from(version)) }
    }

    /// Names a record without versions, such as a session.
    pub fn unversioned(kind: &'static str, id: impl Into<Uuid>) -> Self {
        Self { kind, id: id.into(), version: None }
    }
}
