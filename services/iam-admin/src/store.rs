//! The statements of the IAM admin service, one file per aggregate.

pub mod assignment;
pub mod change;
pub mod company;
pub mod policy;
pub mod role;
