//! The business metrics of the notification service.

use crate::domain::notification::{Notification, Status};

/// Counts how an attempt ended.
pub(crate) fn attempted(notification: &Notification) {
    let outcome = match notification.status {
        Status::Sent => "sent",
        Status::Failed => "failed",
        Status::Suppressed => "suppressed",
        Status::Pending | Status::Sending => "retry",
    };
    let template = notification.template.clone();
    metrics::counter!("taskman_emails_total", "service" => "notification", "template" => template, "outcome" => outcome).increment(1);
}
