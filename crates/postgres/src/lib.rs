//! PostgreSQL: pools, run-or-refuse migrations, constraint errors, idempotency and time-series tables.
//!
//! A service opens one [`Db`] and passes it on. [`Db::begin`] starts a transaction that ends with the caller's deadline;
//! [`Error`] says which constraint was violated by name, so that a service can turn `projects_key` into its own error.
//! [`idempotency`] remembers replies in the transaction that made them, [`time_series`] cuts a table into days.
//!
//! The tables of [`idempotency`] are part of each service's own migrations; [`idempotency::DDL`] is their exact text.

mod config;
mod db;
mod error;
pub mod idempotency;
mod migrate;
pub mod time_series;

pub use config::{Config, Migrate};
pub use db::{Db, Transaction};
pub use error::{Cause, ConstraintKind, Error};
pub use migrate::MigrateError;
