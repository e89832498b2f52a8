//! What this service counts beyond its requests.

use metrics::{counter, gauge};

use crate::domain::task::Status;

/// Where the whole fleet is one process, the label tells whose admin port shows the metric.
const SERVICE: &str = "task";

/// Counts a task that was created.
pub(crate) fn task_created() {
    counter!("taskman_tasks_created_total", "service" => SERVICE).increment(1);
}

/// Shows how many tasks there are in a state, over all companies.
pub(crate) fn active_tasks(status: Status, count: i64) {
    // A gauge is a float; it is exact up to 2^53 tasks.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!("active_tasks_total", "service" => SERVICE, "status" => status.as_str()).set(count as f64);
}
