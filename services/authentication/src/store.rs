//! The SQL of this service: free functions on a connection, one file per aggregate.
//!
//! Rows are locked in one order, so that no two transactions wait for each other: link, credential, throttles, session,
//! and the head of the revocations last.

pub(crate) mod credential;
pub(crate) mod link_request;
pub(crate) mod refresh_token;
pub(crate) mod revocation;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod throttle;
