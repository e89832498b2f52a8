//! The statements of the audit service, one file per aggregate.

pub(crate) mod event;
pub(crate) mod subject_key;
