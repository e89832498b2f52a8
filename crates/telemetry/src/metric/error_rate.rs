//! The share of calls that fail by our own fault, told from the counters as they are counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{ERROR_RATE, ERRORS, HTTP_REQUESTS, REQUESTS};

/// The types of error that are ours; all others blame the request or its sender.
const FAULTS: [&str; 5] = ["UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/// How many rounds of the upkeep a rate is told from: with one in five seconds, a minute.
const ROUNDS: usize = 12;

/// The calls and faults of every service of the process.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<BTreeMap<String, Service>>);

#[derive(Debug, Default)]
struct Service {
    calls: Arc<AtomicU64>,
    faults: Arc<AtomicU64>,
    /// The totals as they were after each of the last rounds, the oldest first.
    history: VecDeque<(u64, u64)>,
}

impl Rates {
    /// Sets the gauges to the rates as they are now.
    pub(super) fn publish(&self) {
        for (service, rate) in self.now() {
            metrics::gauge!(ERROR_RATE, "service" => service).set(rate);
        }
    }

    /// Ends a round: what was counted before the last twelve of them is forgotten.
    pub(super) fn advance(&self) {
        for service in self.lock().values_mut() {
            let totals = service.totals();
            service.history.push_back(totals);
            if service.history.len() > ROUNDS {
                service.history.pop_front();
            }
        }
    }

    fn now(&self) -> Vec<(String, f64)> {
        self.lock().iter().map(|(name, service)| (name.clone(), service.rate())).collect()
    }

    fn counters(&self, service: &str) -> (Arc<AtomicU64>, Arc<AtomicU64>) {
        let mut services = self.lock();
        if !services.contains_key(service) {
            services.insert(service.to_owned(), Service::default());
        }
        services.get(service).map(|known| (Arc::clone(&known.calls), Arc::clone(&known.faults))).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Service>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    fn totals(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.faults.load(Ordering::Relaxed))
    }

    fn rate(&self) -> f64 {
        let (calls, faults) = self.totals();
        // A service with less than a full history has counted from nothing.
        let before = if self.history.len() < ROUNDS { None } else { self.history.front() };
        let (calls_before, faults_before) = before.copied().unwrap_or_default();
        share(faults.saturating_sub(faults_before), calls.saturating_sub(calls_before))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than the 52 bits that a float has")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

/// A recorder that passes everything on and tallies the request counters on the way.
pub(super) struct Tallying<R> {
    inner: R,
    rates: Arc<Rates>,
}

impl<R> Tallying<R> {
    pub(super) fn new(inner: R, rates: Arc<Rates>) -> Self {
        Self { inner, rates }
    }

    /// Returns what an increment of the counter is added to besides.
    fn tallies(&self, key: &Key) -> Vec<Arc<AtomicU64>> {
        let label = |name| key.labels().find(|label| label.key() == name).map(metrics::Label::value);
        match key.name() {
            REQUESTS => label("service").map(|service| self.rates.counters(service).0).into_iter().collect(),
            ERRORS if label("error_type").is_some_and(|error| FAULTS.contains(&error)) => {
                label("service").map(|service| self.rates.counters(service).1).into_iter().collect()
            }
            // Only the gateway speaks HTTP.
            HTTP_REQUESTS => {
                let (calls, faults) = self.rates.counters("gateway");
                if label("status").is_some_and(|status| status.starts_with('5')) {
                    vec![calls, faults]
                } else {
                    vec![calls]
                }
            }
            _ => Vec::new(),
        }
    }
}

impl<R: Recorder> Recorder for Tallying<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let counter = self.inner.register_counter(key, metadata);
        let tallies = self.tallies(key);
        if tallies.is_empty() { counter } else { Counter::from_arc(Arc::new(Tallied { counter, tallies })) }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.inner.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.inner.register_histogram(key, metadata)
    }
}

struct Tallied {
    counter: Counter,
    tallies: Vec<Arc<AtomicU64>>,
}

impl CounterFn for Tallied {
    fn increment(&self, value: u64) {
        self.counter.increment(value);
        for tally in &self.tallies {
            tally.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn absolute(&self, value: u64) {
        self.counter.absolute(value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metrics::NoopRecorder;

    use super::*;
    use crate::metric;

    fn rates_after(calls: &[(&'static str, &'static str, u32)]) -> Rates {
        let rates = Arc::new(Rates::default());
        let recorder = Tallying::new(NoopRecorder, Arc::clone(&rates));
        metrics::with_local_recorder(&recorder, || {
            for &(service, code, times) in calls {
                for _ in 0..times {
                    metric::request(service, "Method", code, Duration::ZERO);
                }
            }
        });
        drop(recorder);
        Arc::into_inner(rates).expect("nobody else holds the rates")
    }

    #[test]
    fn only_our_own_faults_raise_the_rate_of_their_service() {
        let rates =
            rates_after(&[("task", "OK", 6), ("task", "NOT_FOUND", 2), ("task", "INTERNAL", 2), ("user", "OK", 1)]);
        assert_eq!(rates.now(), [("task".to_owned(), 0.2), ("user".to_owned(), 0.0)]);
    }

    #[test]
    fn faults_are_forgotten_after_a_minute() {
        let rates = rates_after(&[("task", "UNAVAILABLE", 3)]);
        for _ in 0..ROUNDS {
            assert_eq!(rates.now(), [("task".to_owned(), 1.0)]);
            rates.advance();
        }
        assert_eq!(rates.now(), [("task".to_owned(), 0.0)]);
    }

    #[test]
    fn the_gateway_fails_with_five_hundreds() {
        let rates = Arc::new(Rates::default());
        metrics::with_local_recorder(&Tallying::new(NoopRecorder, Arc::clone(&rates)), || {
            for status in [200, 404, 429, 503] {
                metric::http_request("GET", "/api/v1/tasks", status, Duration::ZERO);
            }
        });
        assert_eq!(rates.now(), [("gateway".to_owned(), 0.25)]);
    }
}
