//! Signing keys in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use taskman_identity::{Algorithm, SigningKey};

use crate::domain::signing_key::KeyTimes;
use crate::error::Error;

/// The number of the advisory lock of whoever changes the keys: any number that nothing else here uses.
const LOCK: i64 = 0x7461_736b_6b65_7973;

/// A key as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Its id.
    pub(crate) kid: String,
    /// How it signs.
    pub(crate) algorithm: Algorithm,
    /// The private half, sealed.
    pub(crate) sealed: Vec<u8>,
    /// When it was made.
    pub(crate) created_at: DateTime<Utc>,
    /// From when on it signs.
    pub(crate) signs_from: DateTime<Utc>,
}

impl Stored {
    /// Describes a key that was sealed.
    pub(crate) fn new(key: &SigningKey, sealed: Vec<u8>, signs_from: DateTime<Utc>) -> Self {
        let (kid, algorithm, created_at) = (key.kid().to_owned(), key.algorithm(), key.created_at());
        Self { kid, algorithm, sealed, created_at, signs_from }
    }

    /// Returns what its life is planned with.
    pub(crate) fn times(&self) -> KeyTimes {
        KeyTimes { kid: self.kid.clone(), algorithm: self.algorithm, signs_from: self.signs_from }
    }
}

/// Waits until nobody else changes the keys, and keeps others out until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "-- no company: one set of keys for all companies
         SELECT pg_advisory_xact_lock($1)",
    )
    .bind(LOCK)
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns every key, in the order in which they sign.
pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<Stored>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "-- no company: one set of keys for all companies
         SELECT kid, algorithm, sealed, created_at, signs_from FROM signing_keys ORDER BY signs_from, kid",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Inserts a key.
pub(crate) async fn insert(conn: &mut PgConnection, key: &Stored) -> Result<(), Error> {
    sqlx::query(
        "-- no company: one set of keys for all companies
         INSERT INTO signing_keys (kid, algorithm, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&key.kid)
    .bind(key.algorithm.name())
    .bind(&key.sealed)
    .bind(key.created_at)
    .bind(key.signs_from)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a key.
pub(crate) async fn delete(conn: &mut PgConnection, kid: &str) -> Result<(), Error> {
    sqlx::query(
        "-- no company: one set of keys for all companies
         DELETE FROM signing_keys WHERE kid = $1",
    )
    .bind(kid)
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Row {
    kid: String,
    algorithm: String,
    sealed: Vec<u8>,
    created_at: DateTime<Utc>,
    signs_from: DateTime<Utc>,
}

impl TryFrom<Row> for Stored {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let Row { kid, algorithm, sealed, created_at, signs_from } = row;
        let algorithm = Algorithm::from_name(&algorithm).ok_or(Error::Damaged("signing_keys.algorithm"))?;
        Ok(Self { kid, algorithm, sealed, created_at, signs_from })
    }
}
