//! The thread that keeps the metrics: it empties histograms nobody scrapes and reads what the process uses.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{CPU, MEMORY, MetricsHandle};

const EVERY: Duration = Duration::from_secs(5);

/// Ends the thread when it is dropped.
///
/// A thread and not a task, because it must go on when the runtime is busy: that is when the numbers are of interest.
#[derive(Debug)]
pub(crate) struct Upkeep {
    _stop: SyncSender<()>,
}

impl Upkeep {
    pub(super) fn start(metrics: MetricsHandle, process: String) -> Result<Self, std::io::Error> {
        let (stop, stopped) = sync_channel::<()>(1);
        let collector = metrics_process::Collector::default();
        collector.describe();
        let mut usage = Usage::new(process);
        usage.publish();
        collector.collect();
        thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                metrics.prometheus.run_upkeep();
                metrics.rates.advance();
                usage.publish();
                collector.collect();
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// What the process uses, told from the difference between two looks.
#[derive(Debug)]
struct Usage {
    process: String,
    last: Instant,
    cpu_seconds: f64,
}

impl Usage {
    fn new(process: String) -> Self {
        let seen = metrics_process::collector::collect();
        Self { process, last: Instant::now(), cpu_seconds: seen.cpu_seconds_total.unwrap_or_default() }
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are floats, and memory is below 2^52 bytes")]
    fn publish(&mut self) {
        let seen = metrics_process::collector::collect();
        let elapsed = self.last.elapsed().as_secs_f64();
        let used = seen.cpu_seconds_total.unwrap_or_default();
        let percent = if elapsed > 0.0 { 100.0 * (used - self.cpu_seconds).max(0.0) / elapsed } else { 0.0 };
        (self.last, self.cpu_seconds) = (Instant::now(), used);
        metrics::gauge!(CPU, "service" => self.process.clone()).set(percent);
        let memory = seen.resident_memory_bytes.unwrap_or_default() as f64;
        metrics::gauge!(MEMORY, "service" => self.process.clone()).set(memory);
    }
}
