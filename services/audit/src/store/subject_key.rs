//! The table of the keys that personal data is sealed with.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::{CompanyId, UserId};
use uuid::Uuid;

use crate::domain::event::Subject;
use crate::domain::seal::Owner;
use crate::error::Error;

/// A key as the table holds it; destroyed when there is nothing sealed.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct SealedKey {
    company_id: CompanyId,
    subject_id: Uuid,
    pub(crate) sealed: Option<Vec<u8>>,
}

impl SealedKey {
    /// Returns whose key it is.
    pub(crate) const fn owner(&self) -> Owner {
        Owner { company: self.company_id, subject: Subject::from_uuid(self.subject_id) }
    }
}

/// Lists the keys of `owners` that there are, destroyed ones too.
pub(crate) async fn list(conn: &mut PgConnection, owners: &[Owner]) -> Result<Vec<SealedKey>, Error> {
    let (companies, subjects) = columns(owners);
    Ok(sqlx::query_as(
        "SELECT company_id, subject_id, sealed_key AS sealed
         FROM subject_keys JOIN unnest($1::uuid[], $2::uuid[]) AS wanted (company_id, subject_id)
              USING (company_id, subject_id)",
    )
    .bind(companies)
    .bind(subjects)
    .fetch_all(conn)
    .await?)
}

/// Finds the newest key of any company that is not destroyed.
pub(crate) async fn find_newest(conn: &mut PgConnection) -> Result<Option<SealedKey>, Error> {
    // no company: asks which master key sealed the table
    Ok(sqlx::query_as(
        "SELECT company_id, subject_id, sealed_key AS sealed FROM subject_keys
         WHERE sealed_key IS NOT NULL ORDER BY created_at DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?)
}

/// Inserts new keys. Where somebody else was faster, or the key was destroyed, nothing changes.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    owners: &[Owner],
    sealed_keys: &[Vec<u8>],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (companies, subjects) = columns(owners);
    // Always in one order, so that two batches wait for each other and never in a circle.
    sqlx::query(
        "INSERT INTO subject_keys (company_id, subject_id, sealed_key, created_at)
         SELECT company_id, subject_id, sealed_key, $4
         FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS new (company_id, subject_id, sealed_key)
         ORDER BY company_id, subject_id
         ON CONFLICT (company_id, subject_id) DO NOTHING",
    )
    .bind(companies)
    .bind(subjects)
    .bind(sealed_keys)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Destroys the key of a user for good: from now on there is none, and none will be made.
pub(crate) async fn destroy(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO subject_keys (company_id, subject_id, sealed_key, created_at, destroyed_at)
         VALUES ($1, $2, NULL, $3, $3)
         ON CONFLICT (company_id, subject_id) DO UPDATE SET sealed_key = NULL, destroyed_at = $3
         WHERE subject_keys.destroyed_at IS NULL",
    )
    .bind(company)
    .bind(user)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

fn columns(owners: &[Owner]) -> (Vec<Uuid>, Vec<Uuid>) {
    owners.iter().map(|owner| (owner.company.as_uuid(), owner.subject.as_uuid())).unzip()
}
