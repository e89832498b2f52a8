//! RabbitMQ: topology, outbox, relay, inbox, consumers, retry and dead letters.
//!
//! Out: a use case calls [`outbox::record`] in its transaction; the [`Relay`] publishes what was committed, with
//! confirms, at least once. In: a [`Consumer`] applies each event in one transaction with its inbox row, so that a second
//! delivery changes nothing. A failure that may pass is tried again after 5 s, 30 s, 5 min and 30 min; any other goes to
//! the queue `dlq.<queue>` and from there into the table `dead_letters` ([`dead_letters`]). Nothing is acknowledged before
//! it is stored somewhere else, and nothing waits behind a failure.
//!
//! The broker is never part of a request: when it is away, events stay in the outbox.
//!
//! The tables are in `ddl.sql` of this crate ([`DDL`]); the first migration of each service is a copy of it.

mod broker;
mod config;
mod consumer;
pub mod dead_letters;
mod error;
mod headers;
pub mod outbox;
mod relay;
pub mod topology;
mod trace;

pub use config::Config;
pub use consumer::{BatchHandler, Consumer, Failed, Handler, Handlers};
pub use error::Error;
pub use outbox::Outbox;
pub use relay::{Relay, purge};

/// The tables of this crate: what `migrations/20261121080000_create_messaging_tables.sql` of every service holds.
pub const DDL: &str = include_str!("../ddl.sql");
