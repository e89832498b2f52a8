//! The IAM admin service through its RPCs, its stream and its queue, on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod administrators;
mod assignments;
mod attributes;
mod changes;
mod companies;
mod default_role;
mod expiry;
mod fixture;
mod grants;
