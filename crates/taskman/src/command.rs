//! The commands of the binary `taskman`, one file each.

pub mod bench;
pub mod demo;
pub mod keys;
pub mod routes;
pub mod up;
