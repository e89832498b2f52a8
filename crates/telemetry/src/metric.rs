//! Metrics: the ones that every service has, and their exposition.
//!
//! Labels are bounded: services, methods and codes are known names, endpoints are route patterns. A company, a user or
//! a path as it was sent never becomes a label.

mod error_rate;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use self::error_rate::{Rates, Tallying};
pub(crate) use self::upkeep::Upkeep;
use crate::Error;

/// The upper bounds of the buckets of every histogram, in seconds.
pub const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const REQUESTS: &str = "taskman_requests_total";
const ERRORS: &str = "taskman_errors_total";
const DURATION: &str = "taskman_request_duration_seconds";
const HTTP_REQUESTS: &str = "http_requests_total";
const HTTP_DURATION: &str = "http_request_duration_seconds";
const ERROR_RATE: &str = "taskman_error_rate";
const CPU: &str = "taskman_cpu_usage_percent";
const MEMORY: &str = "taskman_memory_usage_bytes";

/// Counts a finished gRPC call.
///
/// `method` is the full name of a known method, such as `taskman.task.v1.TaskService/AssignTask`; a path that names no
/// method is counted as `unknown` by the caller. `code` is the gRPC name of the outcome, such as `OK` or `NOT_FOUND`;
/// everything but `OK` is also counted as an error of that type.
pub fn request(service: &'static str, method: &str, code: &'static str, duration: Duration) {
    counter!(REQUESTS, "service" => service, "method" => method.to_owned(), "status" => code).increment(1);
    if code != "OK" {
        counter!(ERRORS, "service" => service, "method" => method.to_owned(), "error_type" => code).increment(1);
    }
    histogram!(DURATION, "service" => service, "method" => method.to_owned()).record(duration);
}

/// Counts a finished HTTP request of the gateway.
///
/// `method` is a method that the gateway knows (else `OTHER`), `endpoint` the pattern of the route, such as
/// `/api/v1/tasks/{task_id}` (else `unmatched`).
pub fn http_request(method: &'static str, endpoint: &str, status: u16, duration: Duration) {
    let status = status.to_string();
    counter!(HTTP_REQUESTS, "method" => method, "endpoint" => endpoint.to_owned(), "status" => status).increment(1);
    histogram!(HTTP_DURATION, "method" => method, "endpoint" => endpoint.to_owned()).record(duration);
}

/// Renders the metrics of the process.
#[derive(Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
    rates: Arc<Rates>,
    /// What the gauges of the process are labelled with.
    process: Arc<str>,
}

impl MetricsHandle {
    /// Renders every metric in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.rates.publish();
        self.prometheus.render()
    }

    /// Renders the metrics that belong to `service` or to no service.
    ///
    /// Where the whole fleet is one process, every admin port shows its own service: scraped together they count
    /// nothing twice. What the process uses is shown as used by each of its services, since nobody can divide it.
    pub fn render_for(&self, service: &str) -> String {
        let own = format!("service=\"{service}\"");
        let of_process = format!("service=\"{}\"", self.process);
        let mut shown = String::new();
        for line in self.render().split_inclusive('\n') {
            let is_one_of = |names: [&str; 2]| names.iter().any(|name| line.starts_with(name));
            if is_one_of([CPU, MEMORY]) {
                shown.push_str(&line.replace(&of_process, &own));
            } else if is_one_of([HTTP_REQUESTS, HTTP_DURATION]) {
                // Only the gateway speaks HTTP.
                shown.push_str(if service == "gateway" { line } else { "" });
            } else if line.starts_with('#') || !line.contains("service=\"") || line.contains(&own) {
                shown.push_str(line);
            }
        }
        shown
    }
}

impl std::fmt::Debug for MetricsHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MetricsHandle").finish_non_exhaustive()
    }
}

/// A recorder that is built and not yet installed.
pub(crate) struct Recorder {
    tallying: Tallying<PrometheusRecorder>,
    handle: MetricsHandle,
}

impl Recorder {
    /// Builds the recorder.
    pub(crate) fn build() -> Result<Self, Error> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        let handle = MetricsHandle { prometheus: recorder.handle(), rates: Arc::default(), process: Arc::from("") };
        Ok(Self { tallying: Tallying::new(recorder, Arc::clone(&handle.rates)), handle })
    }

    /// Installs it for the process and starts its upkeep, which labels the gauges of the process with `process`.
    pub(crate) fn install(mut self, process: String) -> Result<(MetricsHandle, Upkeep), Error> {
        self.handle.process = Arc::from(process.as_str());
        metrics::set_global_recorder(self.tallying).map_err(|_| Error::AlreadyInstalled)?;
        describe();
        let upkeep = Upkeep::start(self.handle.clone(), process)?;
        Ok((self.handle, upkeep))
    }
}

fn describe() {
    describe_counter!(REQUESTS, "Finished gRPC calls, by service, method and status.");
    describe_counter!(ERRORS, "Finished gRPC calls that did not end with OK, by service, method and type of error.");
    describe_histogram!(DURATION, Unit::Seconds, "How long gRPC calls took.");
    describe_counter!(HTTP_REQUESTS, "Finished HTTP requests, by method, route and status.");
    describe_histogram!(HTTP_DURATION, Unit::Seconds, "How long HTTP requests took.");
    describe_gauge!(ERROR_RATE, "The share of the last minute's calls that failed by our own fault, from 0 to 1.");
    describe_gauge!(CPU, "Processor time used by the process, in percent of one processor.");
    describe_gauge!(MEMORY, Unit::Bytes, "Resident memory of the process.");
    describe_gauge!("taskman_breaker_state", "State of a circuit breaker: 0 closed, 1 half-open, 2 open.");
    describe_counter!("taskman_breaker_rejected_total", "Calls that an open circuit breaker did not let through.");
}

#[cfg(test)]
mod tests;
