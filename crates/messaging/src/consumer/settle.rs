//! What becomes of a message that was not applied: it goes to a retry queue or to the dead letters, then it is
//! acknowledged.

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use sha2::{Digest, Sha256};

use super::Consumer;
use super::apply::{Class, Fault};
use crate::headers::{self, Headers};
use crate::{Error, topology};

impl Consumer {
    /// Takes a message off the queue that is stored elsewhere; with `and_before`, every earlier one of the channel too.
    pub(super) async fn ack(&self, delivery: &Delivery, and_before: bool) -> Result<(), Error> {
        delivery.ack(BasicAckOptions { multiple: and_before }).await?;
        Ok(())
    }

    /// Moves a message on that was not applied.
    pub(super) async fn fail(&self, delivery: &Delivery, fault: &Fault) -> Result<(), Error> {
        let attempts = Headers::of(&delivery.properties).number(headers::ATTEMPT).unwrap_or(0).saturating_add(1);
        let delay = usize::try_from(attempts - 1).ok().and_then(|at| self.config.retry_delays_ms.get(at));
        let (queue, class, outcome) = match (fault.class, delay) {
            (Class::Stopped, _) => return Ok(()),
            (Class::Transient, Some(delay)) => (topology::retry_queue(self.queue(), *delay), "transient", "retried"),
            (Class::Transient, None) => (topology::dead_letter_queue(self.queue()), "exhausted", "dead"),
            (Class::Permanent, _) => (topology::dead_letter_queue(self.queue()), "permanent", "dead"),
            (Class::Poison, _) => (topology::dead_letter_queue(self.queue()), "poison", "dead"),
        };
        let headers = self.story(delivery, fault, class, attempts);
        let message_id = message_id(delivery);
        tracing::warn!(
            messaging.queue = self.queue(),
            messaging.message.id = message_id,
            messaging.attempt = attempts,
            failure.class = class,
            failure.reason = fault.reason,
            failure.detail = fault.detail,
            "a message was not applied and goes to {queue}"
        );
        match self.publisher.send(&queue, headers.into_properties(&message_id), &delivery.data).await {
            Ok(()) => {
                self.count(outcome, 1);
                self.ack(delivery, false).await
            }
            // Full or not there: back to where it came from, behind what waits already.
            Err(Error::Refused(_)) => {
                self.count("requeued", 1);
                delivery.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Continues the story of the message's failures.
    fn story(&self, delivery: &Delivery, fault: &Fault, class: &str, attempts: i64) -> Headers {
        let now = self.clock.now().to_rfc3339();
        let mut headers = Headers::of(&delivery.properties).without_the_brokers();
        if headers.text(headers::FIRST_FAILED_AT).is_none() {
            headers.set(headers::FIRST_FAILED_AT, now.as_str());
        }
        if headers.text(headers::ROUTING_KEY).is_none() {
            headers.set(headers::ROUTING_KEY, delivery.routing_key.as_str());
        }
        headers
            .set_number(headers::ATTEMPT, attempts)
            .set(headers::CLASS, class)
            .set(headers::REASON, fault.reason.as_str())
            .set(headers::DETAIL, fault.detail.as_str())
            .set(headers::LAST_FAILED_AT, now)
            .set(headers::VERSION, env!("CARGO_PKG_VERSION"));
        headers
    }
}

/// Returns the id of a message; one that came without has that of its content, so that a second copy is the same.
pub(crate) fn message_id(delivery: &Delivery) -> String {
    match delivery.properties.message_id() {
        Some(id) if !id.as_str().is_empty() => id.to_string(),
        _ => hex(&Sha256::digest(&delivery.data)[..16]),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
