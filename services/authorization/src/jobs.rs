//! What goes on beside the decisions.

mod follow;
pub(crate) mod follow_iam;
pub(crate) mod follow_users;
pub(crate) mod record_denials;
