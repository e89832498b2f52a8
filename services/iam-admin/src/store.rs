//! The statements of the IAM admin service, one file per aggregate.

pub(crate) mod assignment;
pub(crate) mod change;
pub(crate) mod company;
pub(crate) mod policy;
pub(crate) mod role;
