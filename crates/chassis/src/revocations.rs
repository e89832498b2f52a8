//! Keeps the keys and the revocation list of a process up to date, from the authentication service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use taskman_access::Issuer;
use taskman_clock::SharedClock;
use taskman_identity::{Progress, Revocation, RevocationList, Revoked};
use taskman_ids::{SessionId, UserId};
use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_proto::authentication::watch_revocations_response::Item;
use taskman_proto::authentication::{self as proto, WatchRevocationsRequest, revocation::What};
use taskman_resilience::Backoff;
use taskman_rpc::client::Channel;
use tokio_util::sync::CancellationToken;

/// A stream without a heartbeat for so long is dead; the authentication service sends one every 500 ms.
const SILENCE: Duration = Duration::from_secs(2);
/// How often keys are fetched anew: a new key is published well before it signs.
const KEYS_EVERY: Duration = Duration::from_mins(1);
/// How often expired revocations are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Fetches the keys now and then every minute, until stopped; an unknown key fetches them at once, besides.
pub(crate) async fn keep_keys(issuer: Arc<Issuer>, stop: CancellationToken) {
    let mut backoff = backoff();
    loop {
        let pause = match issuer.refresh_keys().await {
            Ok(()) => {
                backoff.reset();
                KEYS_EVERY
            }
            Err(error) => {
                tracing::debug!(%error, "keys could not be fetched");
                backoff.pause()
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Follows the stream of revocations until stopped. While it cannot, the list says that it is not fresh, and sessions are
/// asked for one by one.
pub(crate) async fn follow(channel: Channel, list: RevocationList, clock: SharedClock, stop: CancellationToken) {
    let mut client = AuthenticationServiceClient::new(channel);
    let mut backoff = backoff();
    let mut forgotten = Instant::now();
    while !stop.is_cancelled() {
        let request = WatchRevocationsRequest { since: list.position() };
        let opened = tokio::time::timeout(SILENCE, client.watch_revocations(request));
        let Some(opened) = stop.run_until_cancelled(opened).await else { return };
        if let Ok(Ok(stream)) = opened {
            let mut stream = stream.into_inner();
            while let Some(Ok(Ok(Some(message)))) =
                stop.run_until_cancelled(tokio::time::timeout(SILENCE, stream.message())).await
            {
                backoff.reset();
                if take(&list, message.item) == Progress::Reopen {
                    break;
                }
                if forgotten.elapsed() > FORGET_EVERY {
                    forgotten = Instant::now();
                    list.forget(clock.now());
                }
            }
            if !stop.is_cancelled() {
                tracing::warn!("the stream of revocations ended; it is opened again");
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(backoff.pause())).await;
    }
}

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(50), Duration::from_secs(2))
}

fn take(list: &RevocationList, item: Option<Item>) -> Progress {
    match item {
        Some(Item::Revocation(revocation)) => {
            let Some(revocation) = parse(&revocation) else {
                // Going on would pass over it. The list stays where it is, turns stale, and sessions are asked for.
                tracing::error!(position = revocation.position, "a revocation cannot be read");
                return Progress::Reopen;
            };
            list.apply(revocation);
            Progress::Behind
        }
        Some(Item::Heartbeat(heartbeat)) => list.heartbeat(heartbeat.head, Instant::now()),
        None => Progress::Behind,
    }
}

fn parse(revocation: &proto::Revocation) -> Option<Revocation> {
    let what = match revocation.what.as_ref()? {
        What::SessionId(id) => Revoked::Session(SessionId::parse(id).ok()?),
        What::UserId(id) => Revoked::User(UserId::parse(id).ok()?),
    };
    Some(Revocation {
        position: revocation.position,
        what,
        issued_until: time(revocation.issued_until?)?,
        forget_at: time(revocation.forget_at?)?,
    })
}

fn time(timestamp: prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
