//! Timed work of the audit service.

pub mod maintain_partitions;
