//! The business metrics of the IAM admin service.

/// Counts a role that somebody got.
pub(crate) fn assigned() {
    count("assigned");
}

/// Counts a role that was taken from somebody.
pub(crate) fn revoked() {
    count("revoked");
}

/// Counts a role that came to its end.
pub(crate) fn expired() {
    count("expired");
}

fn count(change: &'static str) {
    metrics::counter!("taskman_role_changes_total", "service" => "iam-admin", "change" => change).increment(1);
}
