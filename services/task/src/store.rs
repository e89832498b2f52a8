//! The SQL of this service: free functions on a connection, one file per aggregate.

pub(crate) mod project;
pub(crate) mod task;
