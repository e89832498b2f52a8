//! The enforcement layer: who may call which method on which resource.
//!
//! Whoever first receives a call from outside checks it: the gateway for what passes it, each service for what reaches it
//! directly. Both do it in two steps, by the method's options: [`Access::identify`] verifies the token, and
//! [`Access::authorize`] renders the resources from the request and asks for a decision. The gateway then vouches for the
//! call, and the service believes the voucher ([`AccessLayer`]). A use case whose request implies more than the method's
//! option says asks for the rest with [`Access::require`].

mod access;
mod decide;
mod issuer;
mod layer;
mod message;
mod resource;

pub use access::{Access, AccessError, Assembly};
pub use decide::{Decide, Decision, Question, RemoteDecide};
pub use issuer::Issuer;
pub use layer::{AccessLayer, Enforced};
pub use message::unframe;
pub use resource::Template;
