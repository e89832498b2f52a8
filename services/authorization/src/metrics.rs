//! The business metrics of the authorization service.

use chrono::{DateTime, Utc};
use metrics::{counter, gauge, histogram};

use crate::app::App;
use crate::domain::position::Stream;

/// Counts a decision.
pub(crate) fn checked(allowed: bool) {
    let allowed = if allowed { "true" } else { "false" };
    counter!("taskman_permission_checks_total", "service" => "authorization", "allowed" => allowed).increment(1);
}

/// Measures how long a change took from its commit until decisions rest on it.
pub(crate) fn applied(stream: Stream, changed_at: DateTime<Utc>, now: DateTime<Utc>) {
    let lag = (now - changed_at).to_std().unwrap_or_default();
    histogram!("taskman_authz_revocation_lag_seconds", "service" => "authorization", "stream" => stream.as_str())
        .record(lag);
}

/// Counts denials that were not recorded because there was no room for them.
pub(crate) fn lost_denials(count: u64) {
    counter!("taskman_authz_denials_lost_total", "service" => "authorization").increment(count);
}

/// Shows how old the facts are; infinitely while they have never been complete.
pub(crate) fn show_staleness(app: &App) {
    for stream in Stream::ALL {
        let age = app.projection.progress(stream).staleness();
        let seconds = age.map_or(f64::INFINITY, |age| age.as_secs_f64());
        gauge!("taskman_authz_staleness_seconds", "service" => "authorization", "stream" => stream.as_str())
            .set(seconds);
    }
}
