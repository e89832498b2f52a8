//! What the authentication service does, on real servers, through its methods.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod credentials;
mod fakes;
mod keys;
mod links;
mod logins;
mod refusals;
mod revocations;
mod sessions;
mod world;
