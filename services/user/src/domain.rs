//! The types and rules of companies and users.

pub mod company;
pub mod email;
pub mod text;
pub mod user;
