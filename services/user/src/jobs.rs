//! Timed work of the user service.

pub mod finish_signups;
pub mod purge_idempotency_keys;
pub mod repeat_revocations;
