//! The types and rules of audit records.

pub mod event;
pub mod outcome;
pub mod personal;
pub mod seal;
pub mod window;
