//! The rules of the house, held by reading the tree and `cargo metadata`.
//!
//! Every test collects all that breaks its rule, each with file, line and reason, before it fails. What may break a rule
//! stands in a small table beside the test, with the reason; an entry that excuses nothing any more is a failure, too.

mod bans;
mod copies;
mod deployment;
mod domain;
mod edges;
mod frame;
mod habits;
mod levels;
mod manifests;
mod names;
mod reasons;
mod report;
mod source;
mod statements;
mod tree;
