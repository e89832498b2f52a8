//! The table of companies. A company is its own tenant, so its id is the scope.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::{CompanyId, UserId};

use crate::error::Error;

/// A company that has its roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Company {
    /// Who got the role `admin` with it.
    pub(crate) admin_id: UserId,
    /// The position at which it was provisioned.
    pub(crate) position: i64,
}

/// Finds a company and locks its row: whoever changes who may do what there waits for the others.
pub(crate) async fn find_for_update(conn: &mut PgConnection, company: CompanyId) -> Result<Option<Company>, Error> {
    // no company: the id is the company's
    Ok(sqlx::query_as("SELECT admin_id, position FROM companies WHERE id = $1 FOR UPDATE")
        .bind(company)
        .fetch_optional(conn)
        .await?)
}

/// Inserts a company and locks its row; says whether it is new.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    company: CompanyId,
    admin: UserId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    // no company: the id is the company's
    let inserted = sqlx::query(
        "INSERT INTO companies (id, admin_id, provisioned_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(company)
    .bind(admin)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Notes the position at which a company was provisioned.
pub(crate) async fn update_position(conn: &mut PgConnection, company: CompanyId, position: i64) -> Result<(), Error> {
    // no company: the id is the company's
    sqlx::query("UPDATE companies SET position = $2 WHERE id = $1").bind(company).bind(position).execute(conn).await?;
    Ok(())
}
