//! What a notification is, and what its text is made from.

pub mod notification;
pub mod template;
