//! The one door: REST by transcoding, native gRPC, tokens, limits and enforcement.
//!
//! A request comes in through [`edge`] (connections, addresses, sizes), finds its route in [`transcode`] or its method by
//! its gRPC path, passes [`layers`] (rate limits, access) and goes on through [`upstream`] (channels, deadline, retry).
//! [`app`] is the chain that puts them together, once for REST and once for gRPC. Routes come from the descriptors alone:
//! no RPC is named in this crate. `service` makes it a service of the fleet, and [`table`] shows operators its routes.

pub mod app;
pub mod config;
pub mod edge;
pub mod error;
pub mod layers;
mod service;
pub mod table;
pub mod transcode;
pub mod upstream;

pub use app::{Gateway, StartError};
pub use config::Config;
pub use service::GatewayService;
