//! Messages in batches, one batch at a time.

use std::ops::Range;

use futures::StreamExt;
use lapin::message::Delivery;
use taskman_events::Envelope;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::apply::{Class, Fault};
use super::single::read;
use super::{Consumer, Deliveries};
use crate::Error;
use crate::headers::{self, Headers};
use crate::trace;

/// How often a whole batch is tried again in place when the failure may pass, before it is split.
const IN_PLACE: u32 = 3;

/// Applies batches until `stop`, or until the connection breaks.
pub(super) async fn run(
    consumer: &Consumer,
    mut deliveries: Deliveries,
    stop: &CancellationToken,
) -> Result<(), Error> {
    loop {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = deliveries.stream.next() => next.ok_or(Error::Ended)??,
        };
        let batch = fill(consumer, &mut deliveries, first).await?;
        let span = tracing::info_span!(
            "consume batch",
            service = consumer.service,
            otel.kind = "consumer",
            messaging.system = "rabbitmq",
            messaging.destination.name = consumer.queue(),
            messaging.batch.message_count = batch.len(),
        );
        apply_batch(consumer, batch, stop).instrument(span).await?;
    }
    deliveries.cancel(&consumer.config).await
}

/// Waits a moment for more messages to come along.
async fn fill(consumer: &Consumer, deliveries: &mut Deliveries, first: Delivery) -> Result<Vec<Delivery>, Error> {
    let mut batch = vec![first];
    let until = Instant::now() + consumer.config.batch_wait();
    while batch.len() < consumer.config.batch_size {
        match tokio::time::timeout_at(until, deliveries.stream.next()).await {
            Ok(next) => batch.push(next.ok_or(Error::Ended)??),
            Err(_) => break,
        }
    }
    Ok(batch)
}

async fn apply_batch(consumer: &Consumer, batch: Vec<Delivery>, stop: &CancellationToken) -> Result<(), Error> {
    let mut readable: Vec<(Delivery, Envelope)> = Vec::with_capacity(batch.len());
    // Each message belongs to a trace of its own; its span lasts as long as the batch.
    let mut spans = Vec::with_capacity(batch.len());
    for delivery in batch {
        let found = Headers::of(&delivery.properties);
        match read(&delivery, &found) {
            Ok(envelope) => {
                let parent = found.text(headers::TRACEPARENT);
                spans.push(trace::consume(consumer.service, consumer.queue(), &envelope, parent.as_deref()));
                readable.push((delivery, envelope));
            }
            Err(fault) => consumer.fail(&delivery, &fault).await?,
        }
    }
    // Ranges that are still to be applied, the first on top, so that messages are settled in the order of their tags and
    // one acknowledgement covers a range.
    let mut ranges: Vec<Range<usize>> = std::iter::once(0..readable.len()).collect();
    while let Some(range) = ranges.pop() {
        let Some((last, _)) = readable[range.clone()].last() else { continue };
        match try_range(consumer, &readable[range.clone()], stop).await {
            Ok(new) => {
                consumer.ack(last, true).await?;
                consumer.count("applied", new);
                consumer.count("duplicate", range.len() - new);
            }
            Err(fault) if fault.class == Class::Stopped => return Ok(()),
            Err(fault) if range.len() == 1 => consumer.fail(last, &fault).await?,
            Err(_) => {
                let middle = range.start + range.len() / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
        }
    }
    Ok(())
}

/// Applies a range; while it fails for reasons that may pass, it is tried a few times as a whole.
async fn try_range(
    consumer: &Consumer,
    range: &[(Delivery, Envelope)],
    stop: &CancellationToken,
) -> Result<usize, Fault> {
    let envelopes: Vec<&Envelope> = range.iter().map(|(_, envelope)| envelope).collect();
    let mut backoff = consumer.config.reconnect();
    let mut tries = 0;
    loop {
        tries += 1;
        match consumer.apply(&envelopes, stop).await {
            Err(fault) if fault.class == Class::Transient && range.len() > 1 && tries < IN_PLACE => {
                tokio::select! {
                    () = backoff.sleep() => {}
                    () = stop.cancelled() => return Err(Fault { class: Class::Stopped, ..fault }),
                }
            }
            result => return result,
        }
    }
}
