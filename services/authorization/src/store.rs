//! The statements of the authorization service, one file for each stream, and what both share.

pub(crate) mod iam;
pub(crate) mod position;
pub(crate) mod subject;
