//! Assembly of a service: configuration, lifecycle, admin port and the parts a service is made of.
//!
//! A service implements [`Service`]: it says its name, its configuration and its migrations, and assembles its [`Parts`]
//! from a [`Kit`]. Everything that is the same eight times happens here. [`start`] runs a service inside a process (the
//! fleet in one process and the tests do that), [`main`] is the whole of a service's own binary.

mod admin;
mod binary;
pub mod config;
mod jobs;
mod kit;
mod lifecycle;
mod parts;
mod process;
mod revocations;
mod service;

pub use binary::{main, told_to_stop};
pub use config::{Config, ConfigError};
pub use jobs::Job;
pub use kit::Kit;
pub use lifecycle::{Listeners, Running, Stopped, start, usual_port};
pub use parts::{Check, HttpServer, Parts};
pub use process::{Process, install_crypto, install_telemetry};
pub use service::Service;
