//! The statements of the user service, one file per aggregate.

pub mod change;
pub mod company;
pub mod revocation;
pub mod user;
