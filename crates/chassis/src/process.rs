//! What exists once in a process: the cryptography provider, the subscriber and the metrics recorder.

use std::sync::Arc;

use taskman_clock::{SharedClock, SystemClock};
use taskman_rpc::Methods;
use taskman_telemetry::Telemetry;

use crate::config::TelemetryConfig;

/// What the services of one process share.
#[derive(Clone)]
pub struct Process {
    /// The clock.
    pub clock: SharedClock,
    /// The table of methods.
    pub methods: Methods,
    /// Renders the metrics of a service, by name, in Prometheus' text format.
    pub metrics: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

impl Process {
    /// Takes the system clock and the given metrics.
    pub fn new(metrics: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self { clock: SystemClock::shared(), methods: Methods::load(), metrics: Arc::new(metrics) }
    }
}

/// Chooses the cryptography provider of TLS for the process. A second call changes nothing.
pub fn install_crypto() {
    // An error only says that a provider is there already, and it can only be the same one.
    let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Installs logs, traces and metrics for the process called `name`.
pub fn install_telemetry(name: &str, config: &TelemetryConfig) -> Result<Telemetry, taskman_telemetry::Error> {
    taskman_telemetry::install(taskman_telemetry::Options {
        service_name: name.to_owned(),
        log_level: config.log.clone(),
        otlp_endpoint: config.otlp_endpoint.clone(),
        sample_ratio: config.sample_ratio,
        json: true,
    })
}
