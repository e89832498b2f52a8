//! Writes records: the one way into the table.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::app::{App, keys};
use crate::domain::event::Event;
use crate::domain::seal::{self, Sealed};
use crate::error::Error;
use crate::{metrics, store};

/// Seals what is about persons and inserts what is new, inside the caller's transaction; returns how many were new.
pub(crate) async fn write(app: &App, tx: &mut PgConnection, events: Vec<Event>) -> Result<i64, Error> {
    let owners: BTreeSet<_> = events.iter().flat_map(seal::owners).collect();
    let keys = keys::for_sealing(tx, &app.master, owners, app.clock.now()).await?;
    let sealed = events
        .into_iter()
        .map(|event| Ok(Sealed { pii: seal::seal(&event, &keys)?, fact: event.fact }))
        .collect::<Result<Vec<_>, Error>>()?;
    let counts = store::event::insert_all(tx, &sealed).await?;
    metrics::count(&counts);
    Ok(counts.iter().map(|(_, count)| count).sum())
}
