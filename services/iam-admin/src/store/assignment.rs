//! The table of who holds which role.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};
use taskman_ids::{CompanyId, RoleId, UserId};

use crate::domain::assignment::Assignment;
use crate::domain::role::{ADMIN, Role};
use crate::error::Error;

/// The most roles that are shown of one user.
const MAX_SHOWN: i64 = 100;

impl FromRow<'_, PgRow> for Assignment {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            user_id: row.try_get("user_id")?,
            role: Role::from_row(row)?,
            assigned_at: row.try_get("assigned_at")?,
            assigned_by: row.try_get("assigned_by")?,
            expires_at: row.try_get("expires_at")?,
        })
    }
}

/// An assignment whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Ended {
    pub(crate) company: CompanyId,
    pub(crate) user: UserId,
    pub(crate) role: RoleId,
}

/// Finds an assignment, held or ended.
pub(crate) async fn find(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    role: RoleId,
) -> Result<Option<Assignment>, Error> {
    Ok(sqlx::query_as(
        "SELECT u.user_id, u.assigned_at, u.assigned_by, u.expires_at,
                r.company_id, r.id, r.name, r.description, r.system, r.pseudo, r.created_at, r.version
         FROM user_roles u JOIN roles r ON r.company_id = u.company_id AND r.id = u.role_id
         WHERE u.company_id = $1 AND u.user_id = $2 AND u.role_id = $3",
    )
    .bind(company)
    .bind(user)
    .bind(role)
    .fetch_optional(conn)
    .await?)
}

/// Lists all that a user holds at `now`, by name: never more than the company has roles.
pub(crate) async fn list_held(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Assignment>, Error> {
    list(conn, (company, user), now, None).await
}

/// Lists what is shown of what a user holds at `now`, by name.
pub(crate) async fn list_shown(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Assignment>, Error> {
    list(conn, (company, user), now, Some(MAX_SHOWN)).await
}

async fn list(
    conn: &mut PgConnection,
    (company, user): (CompanyId, UserId),
    now: DateTime<Utc>,
    limit: Option<i64>,
) -> Result<Vec<Assignment>, Error> {
    // LIMIT NULL is no limit.
    Ok(sqlx::query_as(
        "SELECT u.user_id, u.assigned_at, u.assigned_by, u.expires_at,
                r.company_id, r.id, r.name, r.description, r.system, r.pseudo, r.created_at, r.version
         FROM user_roles u JOIN roles r ON r.company_id = u.company_id AND r.id = u.role_id
         WHERE u.company_id = $1 AND u.user_id = $2 AND (u.expires_at IS NULL OR u.expires_at > $3)
         ORDER BY r.name LIMIT $4",
    )
    .bind(company)
    .bind(user)
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Returns the names of the roles that a user holds at `now`, sorted, and the position at which that is so.
pub(crate) async fn names_at_position(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(Vec<String>, i64), Error> {
    // One statement, so that roles and position are of one moment.
    Ok(sqlx::query_as(
        "SELECT ARRAY(SELECT r.name
                      FROM user_roles u JOIN roles r ON r.company_id = u.company_id AND r.id = u.role_id
                      WHERE u.company_id = $1 AND u.user_id = $2 AND (u.expires_at IS NULL OR u.expires_at > $3)
                      ORDER BY r.name), position
         FROM iam_position",
    )
    .bind(company)
    .bind(user)
    .bind(now)
    .fetch_one(conn)
    .await?)
}

/// Says whether a user other than `user` administers the company, without an end.
pub(crate) async fn other_administrator_exists(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM user_roles u JOIN roles r ON r.company_id = u.company_id AND r.id = u.role_id
             WHERE u.company_id = $1 AND u.user_id <> $2 AND u.expires_at IS NULL AND r.system AND r.name = $3)",
    )
    .bind(company)
    .bind(user)
    .bind(ADMIN)
    .fetch_one(conn)
    .await?)
}

/// Lists at most `limit` assignments that have come to their end.
pub(crate) async fn list_ended(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> Result<Vec<Ended>, Error> {
    // no company: time passes in all companies alike
    Ok(sqlx::query_as(
        "SELECT company_id AS company, user_id AS \"user\", role_id AS role FROM user_roles
         WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Inserts an assignment without end that the system makes.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    role: RoleId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO user_roles (company_id, user_id, role_id, assigned_at) VALUES ($1, $2, $3, $4)")
        .bind(company)
        .bind(user)
        .bind(role)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Inserts an assignment, or puts it in the place of an earlier one of the same role.
pub(crate) async fn upsert(conn: &mut PgConnection, assignment: &Assignment) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO user_roles (company_id, user_id, role_id, assigned_at, assigned_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (company_id, user_id, role_id)
         DO UPDATE SET assigned_at = $4, assigned_by = $5, expires_at = $6",
    )
    .bind(assignment.role.company_id)
    .bind(assignment.user_id)
    .bind(assignment.role.id)
    .bind(assignment.assigned_at)
    .bind(assignment.assigned_by)
    .bind(assignment.expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes an assignment.
pub(crate) async fn delete(
    conn: &mut PgConnection,
    company: CompanyId,
    user: UserId,
    role: RoleId,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM user_roles WHERE company_id = $1 AND user_id = $2 AND role_id = $3")
        .bind(company)
        .bind(user)
        .bind(role)
        .execute(conn)
        .await?;
    Ok(())
}
