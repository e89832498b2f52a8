//! What the IAM admin service does by the clock.

pub(crate) mod expire_roles;
