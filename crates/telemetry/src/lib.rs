//! Logs, traces and metrics of a process, installed once by its binary.
//!
//! The subscriber, the metrics recorder and the TLS provider are the only globals of the workspace. Everything here and
//! every `tracing` and `metrics` macro is safe, and does nothing, when they have not been installed.
//!
//! Several services may run in one process, so nothing is labelled by the process: a service runs inside its
//! [`service_span`], from which its log lines take the field `service`, and metrics are given the service explicitly.
//!
//! What may stand in a log line or a span is decided in one place: fields whose names promise a secret, an address or a
//! body are blanked out whatever they hold, and so are tokens, passwords in URLs and e-mail addresses within any text.

mod log;
pub mod metric;
pub mod propagation;
mod redact;
#[cfg(any(test, feature = "testing"))]
mod testing;
mod trace;

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use metric::MetricsHandle;
#[cfg(any(test, feature = "testing"))]
pub use opentelemetry_sdk::trace::SpanData;
#[cfg(any(test, feature = "testing"))]
pub use testing::{TestTelemetry, install_for_tests};

use crate::log::{LogLayer, Style};

/// The name of the root span of a service. It is known to logs and left out of traces.
const SERVICE_SPAN: &str = "service";

/// How a process tells what it does.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the process: that of its service, or `taskman` for the whole fleet.
    pub service_name: String,
    /// What is logged and traced, as directives such as `info,taskman_task=debug`.
    pub log_level: String,
    /// Where spans are sent to (OTLP over gRPC, such as `http://127.0.0.1:4317`); without it they are only propagated.
    pub otlp_endpoint: Option<String>,
    /// The share of traces begun here that are sent, from 0 to 1; a caller's own decision is kept.
    pub sample_ratio: f64,
    /// Whether log lines are JSON, for machines, or text, for people.
    pub json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            service_name: "taskman".to_owned(),
            log_level: "info,opentelemetry=off".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 0.1,
            json: true,
        }
    }
}

/// Why telemetry could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process has a subscriber or a recorder already.
    #[error("telemetry is installed already")]
    AlreadyInstalled,
    /// The log level does not parse.
    #[error("the log level is not valid")]
    LogLevel(#[from] tracing_subscriber::filter::ParseError),
    /// The endpoint for spans is not valid.
    #[error("the exporter of spans could not be built")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Spans can only be sent from within a runtime.
    #[error("spans can only be sent from within a tokio runtime")]
    NoRuntime,
    /// The buckets of the histograms are not valid.
    #[error("the recorder of metrics could not be built")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
    /// The thread that keeps the metrics could not be started.
    #[error("the thread that keeps the metrics could not be started")]
    Upkeep(#[from] std::io::Error),
}

/// The installed telemetry of the process; dropping it ends the upkeep of the metrics, and [`Telemetry::shutdown`]
/// sends what is left.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    metrics: MetricsHandle,
    _upkeep: metric::Upkeep,
}

/// Installs the subscriber, the recorder and the TLS provider of the process.
///
/// # Errors
///
/// [`Error::AlreadyInstalled`] on a second call. Wrong options are told before anything is installed.
pub fn install(options: Options) -> Result<Telemetry, Error> {
    let filter = EnvFilter::try_new(&options.log_level)?;
    let provider = trace::provider(&options)?;
    let style = if options.json { Style::Json } else { Style::Text };
    let (metrics, upkeep) = install_globals(filter, style, std::io::stdout, &provider, options.service_name)?;
    Ok(Telemetry { provider, metrics, _upkeep: upkeep })
}

impl Telemetry {
    /// Renders every metric in the text format of Prometheus.
    pub fn render_metrics(&self) -> String {
        self.metrics.render()
    }

    /// Returns a handle to the metrics that admin ports can share.
    pub fn metrics(&self) -> MetricsHandle {
        self.metrics.clone()
    }

    /// Sends the spans that are left, for five seconds at most.
    pub async fn shutdown(self) {
        let provider = self.provider;
        let sent = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(Duration::from_secs(5))).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent");
        }
    }
}

/// Returns the root span that everything of `service` runs in.
///
/// Log lines inherit its name. Traces do not contain it: every request, message and run of a job begins its own trace.
pub fn service_span(service: &'static str) -> Span {
    tracing::info_span!(SERVICE_SPAN, service)
}

fn install_globals<W>(
    filter: EnvFilter,
    style: Style,
    writer: W,
    provider: &SdkTracerProvider,
    process: String,
) -> Result<(MetricsHandle, metric::Upkeep), Error>
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let recorder = metric::Recorder::build()?;
    tracing_subscriber::registry()
        .with(filter)
        .with(LogLayer::new(style, writer))
        .with(trace::layer(provider))
        .try_init()
        .map_err(|_| Error::AlreadyInstalled)?;
    let (metrics, upkeep) = recorder.install(process)?;
    // A second provider is refused and the first one stays, which is as well: they are the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok((metrics, upkeep))
}
