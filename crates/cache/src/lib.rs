//! Typed cache keys over a memory tier and Redis, with single flight and versions.
//!
//! What is cached has a version, and a greater version is never replaced by a smaller one: whoever fills the cache with
//! what it read before a write cannot undo the write. A writer calls [`Cache::put`] or [`Cache::tombstone`] after its
//! commit and before it answers. Then the same replica sees the write at once, the others within the second that the
//! memory tier holds an entry. A write that Redis missed is repeated each second until Redis has heard of it.
//!
//! Nothing here is a source of truth. Use cases that decide something read the database; without Redis every answer is
//! the same and takes longer.

mod cache;
mod config;
mod entry;
mod local;
mod owed;
mod redis_handle;

pub use cache::Cache;
pub use config::{Config, ConfigInvalid};
pub use entry::Entry;
pub use redis_handle::RedisHandle;
