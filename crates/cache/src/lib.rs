//! Typed cache keys over a memory tier and Redis, with single flight and versions.
