//! The relay: publishes what is in the outbox, at least once, for as long as the service runs.
//!
//! A round claims the oldest events that are due, publishes those of the round before, and settles those of the round
//! before that, all at the same time. What the relay does not finish comes due again when its lease ends, so that a crash
//! costs at most a second delivery, which consumers absorb. Order is not promised.

mod line;
mod store;
mod upkeep;

use std::time::Duration;

use taskman_postgres::Db;
use taskman_resilience::{Backoff, Gate, Rejected};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::line::{Line, Outcome};
use self::store::Row;
pub use self::upkeep::purge;
use crate::{Config, Error, Outbox};

/// Publishes the outbox of one service.
#[derive(Debug)]
pub struct Relay {
    db: Db,
    config: Config,
    service: &'static str,
    outbox: Outbox,
    gate: Gate,
}

/// When a relay that was told to stop gives up.
struct Stopping<'a> {
    stop: &'a CancellationToken,
    drain: Duration,
    until: Option<Instant>,
}

impl Relay {
    /// Prepares the relay of `service`; nothing happens before [`Relay::run`].
    pub fn new(db: Db, config: Config, service: &'static str) -> Self {
        Self { db, config, service, outbox: Outbox::default(), gate: Gate::new(service, "rabbitmq") }
    }

    /// Returns what wakes this relay after a commit.
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Publishes until `stop`, then goes on until the outbox is empty, for as long as the configuration allows.
    ///
    /// It never ends by itself: when the broker or the database is away it tries again.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.publish_until(&stop) => {}
            () = upkeep::run(&self.db, &self.config, self.service) => {}
        }
    }

    async fn publish_until(&self, stop: &CancellationToken) {
        let mut backoff = self.config.reconnect();
        while !stop.is_cancelled() {
            let pause = match self.connect_and_pump(stop, &mut backoff).await {
                Ok(()) => return,
                Err(Rejected::Open { retry_after }) => retry_after,
                Err(Rejected::Failed(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "the relay lost the broker or the database and begins again");
                    backoff.pause()
                }
            };
            metrics::gauge!("taskman_broker_connected", "service" => self.service, "direction" => "publish").set(0.0);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn connect_and_pump(&self, stop: &CancellationToken, backoff: &mut Backoff) -> Result<(), Rejected<Error>> {
        let blame = |error: &Error| !matches!(error, Error::Database(_));
        let open = self.gate.run(blame, Line::open(&self.config, self.service));
        let line = tokio::select! {
            line = open => line?,
            () = stop.cancelled() => return Ok(()),
        };
        metrics::gauge!("taskman_broker_connected", "service" => self.service, "direction" => "publish").set(1.0);
        tracing::info!("the relay is connected");
        let stopping = Stopping { stop, drain: self.config.drain(), until: None };
        let pumped = self.pump(&line, stopping, backoff).await;
        line.close().await;
        pumped.map_err(Rejected::Failed)
    }

    /// Moves events from the outbox to the broker until something breaks or the end has come.
    async fn pump(&self, line: &Line, mut stopping: Stopping<'_>, backoff: &mut Backoff) -> Result<(), Error> {
        let mut poll = self.config.poll();
        let mut to_publish: Vec<Row> = Vec::new();
        let mut to_settle = Outcome::default();
        loop {
            // Told on an earlier turn, it has looked once more since: with nothing in hand, nothing is left.
            let was_told = stopping.was_told();
            if was_told && to_publish.is_empty() && to_settle.is_empty() {
                return Ok(());
            }
            let (outcome, settled, claimed) = tokio::join!(
                line.publish(std::mem::take(&mut to_publish), &self.config),
                store::settle(self.db.primary(), std::mem::take(&mut to_settle), &self.config),
                self.claim(&stopping),
            );
            let (claimed, claim_error) = match claimed {
                Ok(rows) => (rows, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            if let Some(error) = outcome.broken.clone().map(Into::into).or(settled.err()).or(claim_error) {
                if line.is_blocked() {
                    tracing::warn!("the broker blocks publishers: it is short of memory or disk");
                }
                self.give_back(outcome, claimed).await;
                return Err(error);
            }
            self.count(&outcome);
            if !outcome.published.is_empty() {
                backoff.reset();
            }
            let found = !claimed.is_empty();
            (to_publish, to_settle) = (claimed, outcome);
            if found {
                poll.reset();
            } else if to_settle.is_empty() {
                if !line.is_open() {
                    return Err(Error::Ended);
                }
                self.wait(&mut poll, &stopping).await;
            }
        }
    }

    async fn claim(&self, stopping: &Stopping<'_>) -> Result<Vec<Row>, Error> {
        if stopping.is_past() {
            return Ok(Vec::new());
        }
        store::claim(&self.db, &self.config).await
    }

    /// Settles what is known after something broke, and lets the rest come due at once. A failure here costs time and
    /// duplicates, nothing else: the leases end.
    async fn give_back(&self, mut outcome: Outcome, claimed: Vec<Row>) {
        self.count(&outcome);
        outcome.unknown.extend(claimed.iter().map(|row| row.id));
        if let Err(error) = store::settle(self.db.primary(), outcome, &self.config).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "events that may have been published are published again when their lease ends");
        }
    }

    async fn wait(&self, poll: &mut Backoff, stopping: &Stopping<'_>) {
        tokio::select! {
            () = self.outbox.woken() => poll.reset(),
            () = poll.sleep() => {}
            () = stopping.stop.cancelled(), if !stopping.stop.is_cancelled() => {}
        }
    }

    fn count(&self, outcome: &Outcome) {
        let count = |result: &'static str, number: usize| {
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            metrics::counter!("taskman_outbox_events_total", "service" => self.service, "result" => result)
                .increment(number);
        };
        count("published", outcome.published.len());
        count("refused", outcome.refused.len());
        count("unknown", outcome.unknown.len());
        if let Some(refusal) = outcome.refused.first() {
            tracing::warn!(
                outbox.refused = outcome.refused.len(),
                reason = refusal.reason,
                messaging.routing_key = refusal.routing_key,
                "the broker refused events; they stay in the outbox and are offered again"
            );
        }
    }
}

impl Stopping<'_> {
    /// Says whether nothing more is to be claimed: stopping takes too long.
    fn is_past(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Says whether the relay was told to stop before this turn. The first turn that sees it starts the time that is
    /// left, however much is in hand.
    fn was_told(&mut self) -> bool {
        if !self.stop.is_cancelled() {
            return false;
        }
        self.until.replace(self.until.unwrap_or_else(|| Instant::now() + self.drain)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_starts_with_the_first_turn_that_sees_the_stop() {
        let stop = CancellationToken::new();
        let mut stopping = Stopping { stop: &stop, drain: Duration::ZERO, until: None };
        assert!(!stopping.was_told() && !stopping.is_past());
        stop.cancel();
        assert!(!stopping.was_told(), "this turn looks once more");
        assert!(stopping.is_past(), "and claims nothing, for no time is left");
        let until = stopping.until;
        assert!(stopping.was_told());
        assert_eq!(stopping.until, until, "it is not prolonged");
    }
}
