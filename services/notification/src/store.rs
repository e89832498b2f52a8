//! The statements of the notification service.

pub(crate) mod notification;
