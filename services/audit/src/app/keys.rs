//! Brings the keys of subjects from the table to where personal data is sealed and opened.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::seal::{Keyring, MasterKey, Owner, SubjectKey};
use crate::error::Error;
use crate::store;

/// Makes sure that the master key is the one that the table's keys are sealed with. With another one, nothing that is
/// there could be opened, and nothing about the same persons could be added.
pub(crate) async fn check(conn: &mut PgConnection, master: &MasterKey) -> Result<(), Error> {
    if let Some(newest) = store::subject_key::find_newest(conn).await? {
        let owner = newest.owner();
        newest.sealed.map(|sealed| master.unwrap(owner, &sealed)).transpose()?;
    }
    Ok(())
}

/// Returns the keys of all `owners`, and makes those that there never were. A destroyed key stays destroyed.
pub(crate) async fn for_sealing(
    conn: &mut PgConnection,
    master: &MasterKey,
    owners: BTreeSet<Owner>,
    now: DateTime<Utc>,
) -> Result<Keyring, Error> {
    let wanted: Vec<Owner> = owners.into_iter().collect();
    let mut keys = for_opening(conn, master, &wanted).await?;
    let missing: Vec<Owner> = wanted.into_iter().filter(|owner| !keys.contains_key(owner)).collect();
    if !missing.is_empty() {
        let wrap = |owner: &Owner| master.wrap(*owner, &SubjectKey::generate()?);
        let sealed = missing.iter().map(wrap).collect::<Result<Vec<_>, _>>()?;
        store::subject_key::insert(conn, &missing, &sealed, now).await?;
        // Read again: where another replica was faster, its key is the one.
        keys.extend(for_opening(conn, master, &missing).await?);
    }
    Ok(keys)
}

/// Returns the keys of `owners` that there are or were. A damaged one is not among them, so that it closes what it sealed
/// and nothing else; who seals misses it.
pub(crate) async fn for_opening(
    conn: &mut PgConnection,
    master: &MasterKey,
    owners: &[Owner],
) -> Result<Keyring, Error> {
    if owners.is_empty() {
        return Ok(Keyring::new());
    }
    let mut keys = Keyring::with_capacity(owners.len());
    for found in store::subject_key::list(conn, owners).await? {
        let owner = found.owner();
        match found.sealed.map(|sealed| master.unwrap(owner, &sealed)).transpose() {
            Ok(key) => {
                keys.insert(owner, key);
            }
            Err(error) => tracing::error!(company.id = %owner.company, %error, "the key of a subject is damaged"),
        }
    }
    Ok(keys)
}
