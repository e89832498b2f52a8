//! One circuit: who may call, what the outcomes were, and when to stop calling.

mod window;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use failsafe::{FailurePolicy, Instrument, StateMachine};

use self::window::Window;
use crate::{Backoff, Deadline};

/// When a circuit opens and how it closes again.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The span of time that failures are counted over.
    pub window: Duration,
    /// The least number of calls within the window for a ratio to mean anything.
    pub minimum_calls: u32,
    /// The share of failed calls, from which on the circuit opens.
    pub failure_ratio: f64,
    /// Calls that were answered later than this are slow; none are when it is not set.
    pub slow_after: Option<Duration>,
    /// The share of slow calls, from which on the circuit opens.
    pub slow_ratio: f64,
    /// How often in a row nobody has to be there for the circuit to open without waiting for the minimum of calls.
    pub lost_in_a_row: u32,
    /// A call that was given up by its caller counts as a failure when it had waited this long.
    pub abandoned_after: Duration,
    /// The least time for which the circuit stays open; it doubles with each failed probing.
    pub shortest_wait: Duration,
    /// The greatest time for which the circuit stays open.
    pub longest_wait: Duration,
    /// How many probes have to succeed for the circuit to close; no other calls are let through meanwhile.
    pub probes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            minimum_calls: 20,
            failure_ratio: 0.5,
            slow_after: Some(Duration::from_secs(2)),
            slow_ratio: 0.8,
            lost_in_a_row: 5,
            // The objective for the 99th percentile: whoever left before that did not leave because of the peer.
            abandoned_after: Duration::from_millis(200),
            shortest_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(5),
            probes: 3,
        }
    }
}

/// The state of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// A few probes pass, to see whether the peer is back.
    HalfOpen,
    /// No call passes.
    Open,
}

impl State {
    /// Returns the word that logs use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }

    /// Returns the value of the gauge `taskman_breaker_state`.
    const fn code(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Closed,
            1 => Self::HalfOpen,
            _ => Self::Open,
        }
    }
}

/// How a call ended, as far as the circuit is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The peer did its work; an answer that blames the request is one, too.
    Passed,
    /// The peer answered that it could not, or did not answer in time.
    Failed,
    /// Nobody was there.
    Lost,
    /// The call says nothing about the peer.
    Void,
}

/// The circuit between one service and one peer, shared by all who call it.
#[derive(Debug)]
pub(crate) struct Circuit {
    service: &'static str,
    peer: &'static str,
    settings: Settings,
    state: Arc<AtomicU8>,
    until: Arc<Mutex<Instant>>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    machine: StateMachine<Waits, Hooks>,
    window: Window,
    lost: u32,
    /// Counts the changes of state, so that late results of an earlier state are told apart.
    epoch: u64,
    seen: State,
    probes_running: u32,
    probes_passed: u32,
}

/// The permission to make one call; whatever happens to it, the circuit learns of the end.
#[derive(Debug)]
pub(crate) struct Permit {
    circuit: Arc<Circuit>,
    epoch: u64,
    probe: bool,
    started: Instant,
    answered: Option<Duration>,
    settled: bool,
    abandoned_as: Outcome,
    hurried: bool,
}

impl Circuit {
    pub(crate) fn new(service: &'static str, peer: &'static str, settings: Settings) -> Arc<Self> {
        let state = Arc::new(AtomicU8::new(State::Closed.code()));
        let until = Arc::new(Mutex::new(Instant::now()));
        let waits =
            Waits { backoff: Backoff::new(settings.shortest_wait, settings.longest_wait), until: Arc::clone(&until) };
        let inner = Inner {
            machine: StateMachine::new(waits, Hooks { service, peer, state: Arc::clone(&state) }),
            window: Window::starting(Instant::now(), settings.window),
            lost: 0,
            epoch: 0,
            seen: State::Closed,
            probes_running: 0,
            probes_passed: 0,
        };
        Arc::new(Self { service, peer, settings, state, until, inner: Mutex::new(inner) })
    }

    pub(crate) fn peer(&self) -> &'static str {
        self.peer
    }

    pub(crate) fn state(&self) -> State {
        State::from_code(self.state.load(Ordering::Acquire))
    }

    /// Asks to make a call; a refusal carries the time after which asking again makes sense.
    ///
    /// `abandoned_as` is what it means when the permit is dropped late and without an answer.
    pub(crate) fn admit(self: &Arc<Self>, abandoned_as: Outcome) -> Result<Permit, Duration> {
        let mut inner = self.lock();
        let permitted = inner.machine.is_call_permitted();
        self.follow(&mut inner);
        let probe = self.state() == State::HalfOpen;
        let busy = probe && inner.probes_running + inner.probes_passed >= self.settings.probes;
        if !permitted || busy {
            drop(inner);
            metrics::counter!("taskman_breaker_rejected_total", "service" => self.service, "peer" => self.peer)
                .increment(1);
            return Err(self.wait());
        }
        if probe {
            inner.probes_running += 1;
        }
        let (circuit, epoch, started) = (Arc::clone(self), inner.epoch, Instant::now());
        Ok(Permit { circuit, epoch, probe, started, answered: None, settled: false, abandoned_as, hurried: false })
    }

    /// Returns how long the circuit stays open at least, or the pause between looks at a half-open one.
    fn wait(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.saturating_duration_since(Instant::now()).max(self.settings.shortest_wait / 10)
    }

    fn settle(&self, epoch: u64, probe: bool, outcome: Outcome, took: Duration) {
        let mut inner = self.lock();
        if epoch != inner.epoch {
            return; // The circuit has moved on since this call began.
        }
        let slow = self.settings.slow_after.is_some_and(|limit| took > limit);
        if probe {
            self.settle_probe(&mut inner, outcome, slow);
        } else {
            self.settle_call(&mut inner, outcome, slow);
        }
        self.follow(&mut inner);
    }

    fn settle_call(&self, inner: &mut Inner, outcome: Outcome, slow: bool) {
        if outcome == Outcome::Void {
            return;
        }
        inner.lost = if outcome == Outcome::Lost { inner.lost + 1 } else { 0 };
        let tally = inner.window.record(Instant::now(), outcome != Outcome::Passed, slow);
        let judged = tally.calls >= self.settings.minimum_calls;
        let failing = judged && tally.failed_ratio() >= self.settings.failure_ratio;
        let slowed = judged && tally.slow_ratio() >= self.settings.slow_ratio;
        if failing || slowed || inner.lost >= self.settings.lost_in_a_row {
            inner.machine.on_error();
        }
    }

    fn settle_probe(&self, inner: &mut Inner, outcome: Outcome, slow: bool) {
        inner.probes_running = inner.probes_running.saturating_sub(1);
        match outcome {
            Outcome::Void => {}
            Outcome::Passed if !slow => {
                inner.probes_passed += 1;
                if inner.probes_passed >= self.settings.probes {
                    inner.machine.on_success();
                }
            }
            Outcome::Passed | Outcome::Failed | Outcome::Lost => inner.machine.on_error(),
        }
    }

    /// Forgets what was counted in the state that the machine has just left.
    fn follow(&self, inner: &mut Inner) {
        let state = self.state();
        if state != inner.seen {
            inner.seen = state;
            inner.epoch += 1;
            inner.lost = 0;
            inner.probes_running = 0;
            inner.probes_passed = 0;
            inner.window = Window::starting(Instant::now(), self.settings.window);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Says whether the call is one of the few that decide whether the circuit closes.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// Notes that the peer has begun to answer: from here on giving up is no verdict on the peer.
    pub(crate) fn answered(&mut self) {
        self.answered.get_or_insert_with(|| self.started.elapsed());
    }

    /// Notes how long the caller waits. Who waits less than `abandoned_after` learns nothing about the peer: else any client
    /// could open the circuit for all by asking for the impossible.
    pub(crate) fn has_until(&mut self, deadline: Deadline) {
        self.hurried = deadline.remaining() < self.circuit.settings.abandoned_after;
    }

    /// Reports how the call ended; only the first report counts.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        let outcome = if self.hurried && outcome == Outcome::Failed { Outcome::Void } else { outcome };
        if !std::mem::replace(&mut self.settled, true) {
            let took = self.answered.unwrap_or_else(|| self.started.elapsed());
            self.circuit.settle(self.epoch, self.probe, outcome, took);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = match self.answered {
            Some(_) => Outcome::Passed,
            None if self.started.elapsed() >= self.circuit.settings.abandoned_after => self.abandoned_as,
            None => Outcome::Void,
        };
        self.settle(outcome);
    }
}

/// Tells failsafe for how long to stay open. When to open is decided by the circuit, which alone knows the outcomes.
#[derive(Debug)]
struct Waits {
    backoff: Backoff,
    until: Arc<Mutex<Instant>>,
}

impl FailurePolicy for Waits {
    fn record_success(&mut self) {}

    fn mark_dead_on_failure(&mut self) -> Option<Duration> {
        let wait = self.backoff.pause();
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + wait;
        Some(wait)
    }

    fn revived(&mut self) {
        self.backoff.reset();
    }
}

/// Shows the state to logs, metrics and the circuit itself; always called under the circuit's lock, thus in order.
struct Hooks {
    service: &'static str,
    peer: &'static str,
    state: Arc<AtomicU8>,
}

impl Hooks {
    fn enter(&self, to: State) {
        let from = State::from_code(self.state.swap(to.code(), Ordering::AcqRel));
        metrics::gauge!("taskman_breaker_state", "service" => self.service, "peer" => self.peer).set(to.code());
        if from == to {
            return;
        }
        let (service, peer, from, to) = (self.service, self.peer, from.name(), to.name());
        tracing::warn!(
            service,
            breaker.peer = peer,
            breaker.from = from,
            breaker.to = to,
            "circuit breaker changed state"
        );
    }
}

impl Instrument for Hooks {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.enter(State::Open);
    }

    fn on_half_open(&self) {
        self.enter(State::HalfOpen);
    }

    fn on_closed(&self) {
        self.enter(State::Closed);
    }
}

#[cfg(test)]
mod tests;
