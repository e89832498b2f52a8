//! Deletes what is over: sessions with their refresh tokens, links, revocations, counters of attempts.

use chrono::TimeDelta;
use taskman_identity::LEEWAY;

use crate::app::App;
use crate::error::Error;
use crate::store;

/// Sessions and links are kept for so long after their end, for whoever asks what happened.
const KEPT: TimeDelta = TimeDelta::days(1);
/// How many batches of each one turn deletes.
const BATCHES: usize = 100;

/// Does one turn.
pub(crate) async fn run(app: &App) -> Result<(), Error> {
    let (pool, now) = (app.db.primary(), app.clock.now());
    repeat(|| store::session::purge(pool, now - KEPT)).await?;
    repeat(|| store::link_request::purge(pool, now - KEPT)).await?;
    // A verifier takes a token for a little longer than it says, and its clock may be behind ours.
    repeat(|| store::revocation::purge(pool, now - LEEWAY * 2)).await?;
    repeat(|| store::throttle::purge(pool, now)).await
}

async fn repeat<Fut: Future<Output = Result<bool, Error>>>(batch: impl Fn() -> Fut) -> Result<(), Error> {
    for _ in 0..BATCHES {
        if !batch().await? {
            break;
        }
    }
    Ok(())
}
