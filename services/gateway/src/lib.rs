//! The one door: REST by transcoding, native gRPC, tokens, limits and enforcement.

pub mod transcode;
