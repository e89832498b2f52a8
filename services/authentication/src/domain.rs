//! The rules of logins, sessions, links and keys: pure, the time is passed in.

pub(crate) mod link;
pub(crate) mod password;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod subject;
pub(crate) mod throttle;
