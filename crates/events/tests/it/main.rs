//! What the events look like on the wire, compared with files that people review.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod envelope;
mod golden;
mod samples;
mod schemas;
