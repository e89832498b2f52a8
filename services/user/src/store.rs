//! The statements of the user service, one file per aggregate.

pub(crate) mod change;
pub(crate) mod company;
pub(crate) mod revocation;
pub(crate) mod user;
