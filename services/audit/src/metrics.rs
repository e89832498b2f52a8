//! The business metrics of the audit service.

use crate::domain::outcome::Outcome;

/// Counts the records that were written, by how what they tell of ended; also those of a batch that is rolled
/// back after that and comes again.
pub(crate) fn count(counts: &[(Outcome, i64)]) {
    for (outcome, count) in counts {
        metrics::counter!("taskman_audit_events_total", "service" => "audit", "result" => outcome.as_str())
            .increment(count.unsigned_abs());
    }
}
