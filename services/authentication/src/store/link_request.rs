//! Link requests in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use taskman_ids::{CompanyId, LinkRequestId, UserId};

use crate::domain::link::{Link, Purpose};
use crate::error::Error;

const PURGE_BATCH: i64 = 1_000;

/// Inserts a request; one with this id that is there stays.
pub(crate) async fn insert(conn: &mut PgConnection, link: &Link) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO link_requests (id, company_id, user_id, purpose, requested_at, mintable_until, mints)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    )
    .bind(link.id)
    .bind(link.company)
    .bind(link.user)
    .bind(link.purpose.as_str())
    .bind(link.requested_at)
    .bind(link.mintable_until)
    .bind(link.mints)
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns a request, if there is one.
pub(crate) async fn find(conn: &mut PgConnection, id: LinkRequestId) -> Result<Option<Link>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "-- no company: whoever opens a link proves it with its secret
         SELECT id, company_id, user_id, purpose, requested_at, mintable_until, mints, secret_hash, expires_at, used_at
         FROM link_requests WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.map(Link::try_from).transpose()
}

/// Returns a request and locks it.
pub(crate) async fn find_for_update(conn: &mut PgConnection, id: LinkRequestId) -> Result<Option<Link>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "-- no company: the one who mints knows the id from the event alone
         SELECT id, company_id, user_id, purpose, requested_at, mintable_until, mints, secret_hash, expires_at, used_at
         FROM link_requests WHERE id = $1 FOR UPDATE",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.map(Link::try_from).transpose()
}

/// Returns the unused requests of a user and locks them, in one order for all who do so.
pub(crate) async fn list_unused_for_update(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
) -> Result<Vec<Link>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, company_id, user_id, purpose, requested_at, mintable_until, mints, secret_hash, expires_at, used_at
         FROM link_requests WHERE company_id = $1 AND user_id = $2 AND used_at IS NULL ORDER BY id FOR UPDATE",
    )
    .bind(company)
    .bind(user)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Link::try_from).collect()
}

/// Stores the secret that was minted.
pub(crate) async fn update(conn: &mut PgConnection, link: &Link) -> Result<(), Error> {
    let (hash, expires_at) = link.minted.unzip();
    sqlx::query(
        "UPDATE link_requests SET mints = $3, secret_hash = $4, expires_at = $5 WHERE company_id = $1 AND id = $2",
    )
    .bind(link.company)
    .bind(link.id)
    .bind(link.mints)
    .bind(hash.as_ref().map(<[u8; 32]>::as_slice))
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses up every link of a user: with a new password, none that was asked for before it is of use.
pub(crate) async fn use_up_of_user(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query("UPDATE link_requests SET used_at = $3 WHERE company_id = $1 AND user_id = $2 AND used_at IS NULL")
        .bind(company)
        .bind(user)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes some of the requests whose links were over before `before`; returns whether there may be more.
pub(crate) async fn purge(pool: &PgPool, before: DateTime<Utc>) -> Result<bool, Error> {
    let deleted = sqlx::query(
        "-- no company: age alone decides, in every company alike
         DELETE FROM link_requests WHERE id = ANY (ARRAY(
             SELECT id FROM link_requests WHERE greatest(mintable_until, expires_at) < $1 LIMIT $2
             FOR UPDATE SKIP LOCKED))",
    )
    .bind(before)
    .bind(PURGE_BATCH)
    .execute(pool)
    .await?
    .rows_affected();
    Ok(deleted == PURGE_BATCH.unsigned_abs())
}

#[derive(FromRow)]
struct Row {
    id: LinkRequestId,
    company_id: CompanyId,
    user_id: UserId,
    purpose: String,
    requested_at: DateTime<Utc>,
    mintable_until: DateTime<Utc>,
    mints: i32,
    secret_hash: Option<Vec<u8>>,
    expires_at: Option<DateTime<Utc>>,
    used_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Link {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let hash = row.secret_hash.map(TryInto::try_into).transpose();
        let hash = hash.map_err(|_| Error::Damaged("link_requests.secret_hash"))?;
        Ok(Self {
            id: row.id,
            company: row.company_id,
            user: row.user_id,
            purpose: Purpose::from_name(&row.purpose).ok_or(Error::Damaged("link_requests.purpose"))?,
            requested_at: row.requested_at,
            mintable_until: row.mintable_until,
            mints: row.mints,
            minted: hash.zip(row.expires_at),
            used_at: row.used_at,
        })
    }
}
