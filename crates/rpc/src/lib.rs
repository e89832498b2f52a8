//! gRPC plumbing: request handling, status mapping, server and client stacks, metadata, deadlines.
//!
//! A request comes in through [`server::ServerLayer`] (span, metrics, deadline, panics), is admitted by `taskman-access`,
//! and reaches a method of three lines that calls [`handle()`]. A request goes out through [`client::Channel`] (breaker,
//! deadline, trace, voucher). Errors of use cases become `google.rpc.Status` in [`status`], and nowhere else.

mod broken;
pub mod client;
mod handle;
pub mod methods;
mod origin;
mod outcome;
pub mod server;
pub mod status;

pub use handle::{handle, handle_fleet, handle_public};
pub use methods::{Method, Methods};
pub use origin::origin;
pub use status::UpstreamError;
