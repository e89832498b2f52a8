//! REST to gRPC and back, driven by the descriptors: templates, routes, binding, rendering.
//!
//! Nothing here knows an RPC by name. `google.api.http` says where a request comes from, `taskman.options.v1.rules` what
//! it needs, and the message descriptors what its JSON looks like.

pub mod bind;
pub mod body;
pub mod created;
pub mod dialect;
pub mod json;
pub mod mask;
pub mod money;
pub mod path;
pub mod precondition;
pub mod problem;
pub mod query;
pub mod render;
pub mod route;
pub mod scalar;
pub mod template;
pub mod well_known;

#[cfg(test)]
pub(crate) mod sample;
