//! Timed work of the notification service.

pub mod purge_idempotency_keys;
pub mod send_mails;
