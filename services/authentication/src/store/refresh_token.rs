//! Refresh tokens in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::{CompanyId, SessionId};

use crate::domain::secret::Hash;
use crate::domain::session::RefreshToken;
use crate::error::Error;

/// Inserts the token of a generation.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    (company, session): (CompanyId, SessionId),
    generation: i32,
    hash: &Hash,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO refresh_tokens (company_id, session_id, generation, hash) VALUES ($1, $2, $3, $4)")
        .bind(company)
        .bind(session)
        .bind(generation)
        .bind(hash.as_slice())
        .execute(conn)
        .await?;
    Ok(())
}

/// Returns the token with this hash and its successor, as far as there are such.
pub(crate) async fn find_with_successor(
    conn: &mut PgConnection,
    (company, session): (CompanyId, SessionId),
    hash: &Hash,
) -> Result<Option<(RefreshToken, Option<RefreshToken>)>, Error> {
    let rows: Vec<(i32, Vec<u8>, Option<DateTime<Utc>>)> = sqlx::query_as(
        "SELECT t.generation, t.hash, t.used_at FROM refresh_tokens t
         JOIN refresh_tokens presented
           ON presented.company_id = t.company_id AND presented.session_id = t.session_id
          AND presented.hash = $3 AND t.generation IN (presented.generation, presented.generation + 1)
         WHERE t.company_id = $1 AND t.session_id = $2 ORDER BY t.generation",
    )
    .bind(company)
    .bind(session)
    .bind(hash.as_slice())
    .fetch_all(conn)
    .await?;
    let mut tokens = rows.into_iter().map(|(generation, hash, used_at)| {
        let hash = hash.try_into().map_err(|_| Error::Damaged("refresh_tokens.hash"))?;
        Ok::<_, Error>(RefreshToken { generation, hash, used_at })
    });
    let Some(presented) = tokens.next().transpose()? else { return Ok(None) };
    Ok(Some((presented, tokens.next().transpose()?)))
}

/// Marks a token as used, unless somebody has done so: then it says `false`.
pub(crate) async fn use_up(
    conn: &mut PgConnection,
    (company, session): (CompanyId, SessionId),
    generation: i32,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let updated = sqlx::query(
        "UPDATE refresh_tokens SET used_at = $4
         WHERE company_id = $1 AND session_id = $2 AND generation = $3 AND used_at IS NULL",
    )
    .bind(company)
    .bind(session)
    .bind(generation)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() == 1)
}
