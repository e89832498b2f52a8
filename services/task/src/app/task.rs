//! Use cases of tasks.

pub(crate) mod assign;
pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod start;
