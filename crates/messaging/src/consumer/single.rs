//! Messages one by one, several at the same time.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::message::Delivery;
use taskman_events::Envelope;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::apply::Fault;
use super::{Consumer, Deliveries};
use crate::headers::{self, Headers};
use crate::{Error, trace};

/// Applies messages until `stop`, or until the connection breaks.
pub(super) async fn run(
    consumer: &Consumer,
    mut deliveries: Deliveries,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut working = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(done) = working.next(), if !working.is_empty() => done?,
            next = deliveries.stream.next(), if working.len() < consumer.config.concurrency.max(1) => match next {
                Some(delivery) => working.push(Box::pin(apply(consumer, delivery?, stop))),
                None => return Err(Error::Ended),
            },
        }
    }
    deliveries.cancel(&consumer.config).await?;
    while let Some(done) = working.next().await {
        done?;
    }
    Ok(())
}

async fn apply(consumer: &Consumer, delivery: Delivery, stop: &CancellationToken) -> Result<(), Error> {
    let headers = Headers::of(&delivery.properties);
    let envelope = match read(&delivery, &headers) {
        Ok(envelope) => envelope,
        Err(fault) => return consumer.fail(&delivery, &fault).await,
    };
    let parent = headers.text(headers::TRACEPARENT);
    let span = trace::consume(consumer.service, consumer.queue(), &envelope, parent.as_deref());
    async {
        match consumer.apply(&[&envelope], stop).await {
            Ok(new) => {
                consumer.ack(&delivery, false).await?;
                consumer.count(if new == 0 { "duplicate" } else { "applied" }, 1);
                Ok(())
            }
            Err(fault) => consumer.fail(&delivery, &fault).await,
        }
    }
    .instrument(span)
    .await
}

/// Reads the envelope of a message, with the number that its publisher gave it.
pub(super) fn read(delivery: &Delivery, headers: &Headers) -> Result<Envelope, Fault> {
    let mut envelope = Envelope::decode(&delivery.data).map_err(|malformed| Fault::poison(&malformed))?;
    envelope.producer_seq = headers.number(headers::PRODUCER_SEQ);
    Ok(envelope)
}
