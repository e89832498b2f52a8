//! The table of policies.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};
use taskman_ids::{CompanyId, RoleId, UserId};

use crate::domain::policy::Policy;
use crate::error::Error;

impl FromRow<'_, PgRow> for Policy {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            effect: parse(row, "effect")?,
            actions: row.try_get("actions")?,
            resources: row.try_get("resources")?,
            condition: row.try_get("condition")?,
            status: parse(row, "status")?,
            created_at: row.try_get("created_at")?,
            version: row.try_get("version")?,
        })
    }
}

/// Reads a word whose values a CHECK of the table bounds.
fn parse<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}

/// Lists the policies that are attached to a role.
pub(crate) async fn list_of_role(
    conn: &mut PgConnection,
    company: CompanyId,
    role: RoleId,
) -> Result<Vec<Policy>, Error> {
    Ok(sqlx::query_as(
        "SELECT p.id, p.name, p.effect, p.actions, p.resources, p.condition, p.status, p.created_at, p.version
         FROM policies p JOIN role_policies a ON a.company_id = p.company_id AND a.policy_id = p.id
         WHERE p.company_id = $1 AND a.role_id = $2",
    )
    .bind(company)
    .bind(role)
    .fetch_all(conn)
    .await?)
}

/// Lists the policies that a user holds at `now`, by roles of their own or with everybody.
pub(crate) async fn list_of_user(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Policy>, Error> {
    Ok(sqlx::query_as(
        "SELECT p.id, p.name, p.effect, p.actions, p.resources, p.condition, p.status, p.created_at, p.version
         FROM policies p
         WHERE p.company_id = $1 AND EXISTS (
             SELECT FROM role_policies a
             JOIN roles r ON r.company_id = a.company_id AND r.id = a.role_id
             LEFT JOIN user_roles u ON u.company_id = r.company_id AND u.role_id = r.id AND u.user_id = $2
                                       AND (u.expires_at IS NULL OR u.expires_at > $3)
             WHERE a.company_id = $1 AND a.policy_id = p.id AND (r.pseudo OR u.user_id IS NOT NULL))",
    )
    .bind(company)
    .bind(user)
    .bind(now)
    .fetch_all(conn)
    .await?)
}

/// Inserts a policy.
pub(crate) async fn insert(conn: &mut PgConnection, company: CompanyId, policy: &Policy) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO policies (company_id, id, name, effect, actions, resources, condition, status, created_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(company)
    .bind(policy.id)
    .bind(&policy.name)
    .bind(policy.effect.as_str())
    .bind(&policy.actions)
    .bind(&policy.resources)
    .bind(&policy.condition)
    .bind(policy.status.as_str())
    .bind(policy.created_at)
    .bind(policy.version)
    .execute(conn)
    .await?;
    Ok(())
}
