//! What this service counts beyond its requests.

use metrics::{counter, gauge};

const SERVICE: &str = "authentication";

/// Counts a login that was decided.
pub(crate) fn login(success: bool) {
    let success = if success { "true" } else { "false" };
    counter!("taskman_logins_total", "service" => SERVICE, "success" => success).increment(1);
}

/// Counts a password that was hashed.
pub(crate) fn password_hashed() {
    counter!("taskman_password_hashes_total", "service" => SERVICE).increment(1);
}

/// Counts a call that was refused because too many passwords waited.
pub(crate) fn hashing_overloaded() {
    counter!("taskman_password_hashes_refused_total", "service" => SERVICE).increment(1);
}

/// Shows the newest position of the revocations.
pub(crate) fn revocation_head(position: i64) {
    // Exact up to 2^53 revocations.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!("taskman_revocation_head", "service" => SERVICE).set(position as f64);
}
