//! What every call passes between the edge and its service: rate limits, then access control.

pub mod enforce;
pub mod rate_limit;
