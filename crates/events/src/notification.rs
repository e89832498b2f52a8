//! Events of `notification.events`: what was sent to people.

use taskman_ids::{NotificationId, UserId};

use crate::Aggregate;
use crate::declare::event;

event! {
    "email.sent", Notification, about |event| Aggregate::unversioned("notifications", event.log_id);
    /// A mail was accepted by the mail server.
    pub struct EmailSent {
        /// The notification.
        pub log_id: NotificationId,
        /// Who it is for.
        pub recipient_id: UserId,
        /// The name of its template.
        pub template: String,
        /// Which attempt it was, from 1.
        pub attempt: i32,
    }
}

event! {
    "email.failed", Notification, about |event| Aggregate::unversioned("notifications", event.log_id);
    /// A mail was given up.
    pub struct EmailFailed {
        /// The notification.
        pub log_id: NotificationId,
        /// Who it is for.
        pub recipient_id: UserId,
        /// The name of its template.
        pub template: String,
        /// Which attempt was the last, from 1.
        pub attempt: i32,
        /// Why, as a stable word: never the answer of the mail server, which may repeat the address.
        pub reason: String,
    }
}
