//! The tables of roles and of what is attached to them.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};
use taskman_ids::{CompanyId, PolicyId, RoleId};
use taskman_paging::PageSize;

use crate::domain::role::Role;
use crate::error::Error;

impl FromRow<'_, PgRow> for Role {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            company_id: row.try_get("company_id")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            system: row.try_get("system")?,
            pseudo: row.try_get("pseudo")?,
            created_at: row.try_get("created_at")?,
            version: row.try_get("version")?,
        })
    }
}

/// Returns a role of a company that users can be given.
pub(crate) async fn get(conn: &mut PgConnection, company: CompanyId, role: RoleId) -> Result<Role, Error> {
    sqlx::query_as(
        "SELECT company_id, id, name, description, system, pseudo, created_at, version FROM roles
         WHERE company_id = $1 AND id = $2 AND NOT pseudo",
    )
    .bind(company)
    .bind(role)
    .fetch_optional(conn)
    .await?
    .ok_or(Error::NotFound)
}

/// Lists the roles that users can be given, by name, one more than the page holds.
pub(crate) async fn list(
    conn: &mut PgConnection,
    company: CompanyId,
    after: Option<&str>,
    size: PageSize,
) -> Result<Vec<Role>, Error> {
    Ok(sqlx::query_as(
        "SELECT company_id, id, name, description, system, pseudo, created_at, version FROM roles
         WHERE company_id = $1 AND NOT pseudo AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3",
    )
    .bind(company)
    .bind(after)
    .bind(size.limit())
    .fetch_all(conn)
    .await?)
}

/// Lists the roles of a company that are among `roles`.
pub(crate) async fn list_by_ids(
    conn: &mut PgConnection,
    company: CompanyId,
    roles: &[RoleId],
) -> Result<Vec<Role>, Error> {
    Ok(sqlx::query_as(
        "SELECT company_id, id, name, description, system, pseudo, created_at, version FROM roles
         WHERE company_id = $1 AND id = ANY($2)",
    )
    .bind(company)
    .bind(roles)
    .fetch_all(conn)
    .await?)
}

/// Inserts a role.
pub(crate) async fn insert(conn: &mut PgConnection, role: &Role) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO roles (company_id, id, name, description, system, pseudo, created_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(role.company_id)
    .bind(role.id)
    .bind(&role.name)
    .bind(&role.description)
    .bind(role.system)
    .bind(role.pseudo)
    .bind(role.created_at)
    .bind(role.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Attaches policies to roles.
pub(crate) async fn insert_policies(
    conn: &mut PgConnection,
    company: CompanyId,
    attached: &[(RoleId, PolicyId)],
) -> Result<(), Error> {
    let (roles, policies): (Vec<_>, Vec<_>) = attached.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO role_policies (company_id, role_id, policy_id)
         SELECT $1, role, policy FROM unnest($2::uuid[], $3::uuid[]) AS attached (role, policy)",
    )
    .bind(company)
    .bind(roles)
    .bind(policies)
    .execute(conn)
    .await?;
    Ok(())
}
