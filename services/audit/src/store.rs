//! The statements of the audit service, one file per aggregate.

pub mod event;
pub mod subject_key;
