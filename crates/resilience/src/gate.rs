//! A circuit breaker around anything that is awaited: a mail server, a broker, a cache.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::circuit::{Circuit, Outcome, Settings, State};

/// Lets work through as long as its peer is well; clones share the circuit.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Circuit>);

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected<E> {
    /// The circuit is open: the work was not begun.
    #[error("circuit open")]
    Open {
        /// After how long another attempt makes sense.
        retry_after: Duration,
    },
    /// The work was done and failed.
    #[error(transparent)]
    Failed(E),
}

impl Gate {
    /// Guards the calls of `service` to `peer`: five failures in a row or half of the calls close the way.
    pub fn new(service: &'static str, peer: &'static str) -> Self {
        // Peers behind a gate differ too much for one notion of slow; they have timeouts of their own.
        Self::with_settings(service, peer, Settings { slow_after: None, ..Settings::default() })
    }

    /// Guards the calls of `service` to `peer` by other numbers.
    pub fn with_settings(service: &'static str, peer: &'static str, settings: Settings) -> Self {
        Self(Circuit::new(service, peer, settings))
    }

    /// Returns the present state.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Runs `work` unless the circuit is open.
    ///
    /// `classify` says of an error whether the peer is to blame for it. Work that is dropped after it has waited for
    /// long, as by a timeout around this call, counts as a failure, too; the usual way is a timeout within `work`.
    pub async fn run<T, E>(
        &self,
        classify: impl Fn(&E) -> bool,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Rejected<E>> {
        let mut permit = self.0.admit(Outcome::Lost).map_err(|retry_after| Rejected::Open { retry_after })?;
        let result = work.await;
        permit.settle(match &result {
            Err(error) if classify(error) => Outcome::Lost,
            _ => Outcome::Passed,
        });
        result.map_err(Rejected::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gate that stays closed for as long as a test may take.
    fn lasting() -> Gate {
        let wait = Duration::from_mins(10);
        let settings = Settings { shortest_wait: wait, longest_wait: wait, slow_after: None, ..Settings::default() };
        Gate::with_settings("notification", "smtp", settings)
    }

    async fn fail(gate: &Gate, blame: bool) -> Result<(), Rejected<&'static str>> {
        gate.run(|_| blame, async { Err("no") }).await
    }

    #[tokio::test]
    async fn five_failures_in_a_row_stop_the_work_from_being_begun() {
        let gate = lasting();
        for _ in 0..5 {
            assert_eq!(fail(&gate, true).await, Err(Rejected::Failed("no")));
        }
        let mut begun = false;
        let work = async {
            begun = true;
            Ok::<_, &str>(())
        };
        let refused = gate.run(|_| true, work).await;
        assert!(matches!(refused, Err(Rejected::Open { retry_after }) if retry_after <= Duration::from_mins(10)));
        assert!(!begun);
        assert_eq!(gate.state(), State::Open);
    }

    #[tokio::test]
    async fn errors_that_are_not_the_peers_fault_do_not_count() {
        let gate = lasting();
        for _ in 0..50 {
            assert_eq!(fail(&gate, false).await, Err(Rejected::Failed("no")));
        }
        assert_eq!(gate.state(), State::Closed);
    }

    #[tokio::test]
    async fn work_cut_off_by_a_timeout_around_it_counts() {
        let settings = Settings { abandoned_after: Duration::from_millis(1), slow_after: None, ..Settings::default() };
        let gate = Gate::with_settings("task", "redis", settings);
        for _ in 0..5 {
            let hung = gate.run(|(): &()| true, std::future::pending::<Result<(), ()>>());
            assert!(tokio::time::timeout(Duration::from_millis(2), hung).await.is_err());
        }
        assert_eq!(gate.state(), State::Open);
    }

    #[tokio::test]
    async fn clones_share_the_circuit() {
        let gate = lasting();
        for _ in 0..5 {
            let _ = fail(&gate.clone(), true).await;
        }
        assert_eq!(gate.state(), State::Open);
    }
}
