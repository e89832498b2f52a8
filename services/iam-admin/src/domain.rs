//! The types and rules of roles, policies and who holds them.

pub mod assignment;
pub mod change;
pub mod company;
pub mod defaults;
pub mod event;
pub mod policy;
pub mod role;
