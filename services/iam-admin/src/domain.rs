//! The types and rules of roles, policies and who holds them.

pub(crate) mod assignment;
pub(crate) mod change;
pub(crate) mod company;
pub(crate) mod defaults;
pub(crate) mod policy;
pub(crate) mod role;
