//! Telemetry for tests: spans and log lines are kept in memory, and nothing is printed.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::log::Style;
use crate::metric::{MetricsHandle, Upkeep};
use crate::trace::Redacting;
use crate::{Options, install_globals};

/// As many spans and lines as are kept; the oldest go first.
const KEPT: usize = 50_000;

/// What the tests of this process have logged, traced and counted so far; all tests of a process share it, so a test
/// looks for its own trace id or ids.
#[derive(Debug, Clone)]
pub struct TestTelemetry {
    spans: Kept<SpanData>,
    lines: Kept<String>,
    metrics: Option<MetricsHandle>,
    _upkeep: Arc<Option<Upkeep>>,
}

/// Installs telemetry for tests, once per process; later calls return the same.
///
/// Every trace is sampled, so that what a production process would send can be looked at.
pub fn install_for_tests() -> TestTelemetry {
    static INSTALLED: OnceLock<TestTelemetry> = OnceLock::new();
    INSTALLED.get_or_init(install).clone()
}

fn install() -> TestTelemetry {
    let (spans, lines) = (Kept::default(), Kept::default());
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_simple_exporter(Redacting(spans.clone()))
        .build();
    let filter = EnvFilter::new(Options::default().log_level);
    // Where a test has installed something of its own there are no spans to show, and the test goes on.
    let installed = install_globals(filter, Style::Json, lines.clone(), &provider, "test".to_owned()).ok();
    let (metrics, upkeep) = installed.unzip();
    TestTelemetry { spans, lines, metrics, _upkeep: Arc::new(upkeep) }
}

impl TestTelemetry {
    /// Returns the finished spans, as they would have been sent.
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.all()
    }

    /// Returns the finished spans of one trace, by its id in hexadecimal.
    pub fn spans_of(&self, trace_id: &str) -> Vec<SpanData> {
        let mut spans = self.spans.all();
        spans.retain(|span| span.span_context.trace_id().to_string() == trace_id);
        spans
    }

    /// Returns the log lines, in JSON and without the line feed.
    pub fn logs(&self) -> Vec<String> {
        self.lines.all()
    }

    /// Renders every metric in the text format of Prometheus.
    pub fn render_metrics(&self) -> String {
        self.metrics.as_ref().map(MetricsHandle::render).unwrap_or_default()
    }

    /// Returns a handle to the metrics, when they could be installed.
    pub fn metrics(&self) -> Option<MetricsHandle> {
        self.metrics.clone()
    }
}

#[derive(Debug)]
pub(crate) struct Kept<T>(Arc<Mutex<VecDeque<T>>>);

impl<T> Kept<T> {
    fn push(&self, item: T) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(item);
    }
}

impl<T: Clone> Kept<T> {
    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl SpanExporter for Kept<SpanData> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            self.push(span);
        }
        Ok(())
    }
}

impl io::Write for Kept<String> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(String::from_utf8_lossy(bytes).trim_end().to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept<String> {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
