//! What tests need: stores of their own, started services, minted callers and wait-until.
//!
//! Tests run against real PostgreSQL, Redis and RabbitMQ, which `make test` starts once ([`Space::new`] says how to do
//! the same by hand). Each test has a [`Space`] of its own: databases, and a vhost of the broker. [`service()`] starts one
//! service in it on free ports, with the real layers in front; calls go in as the gateway would send them.
//!
//! For tests only: what cannot happen in a working test environment panics with the reason.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test helper")]

mod callers;
mod calls;
pub mod fakes;
mod keys;
mod service;
mod space;
mod wait;

pub use callers::{caller, caller_of};
pub use calls::Calls;
pub use keys::{FLEET, fleet_keys, secret_key};
pub use service::{Builder, TestService, service};
pub use space::Space;
pub use wait::{wait_for, wait_until};
