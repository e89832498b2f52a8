//! The table of users.

use sqlx::{PgConnection, Postgres, QueryBuilder};
use taskman_ids::{CompanyId, UserId};
use taskman_paging::PageSize;

use crate::domain::company::Status;
use crate::domain::email::{Email, normalise};
use crate::domain::user::User;
use crate::error::Error;

/// Where a list of users goes on: after this user.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Position {
    created_at: chrono::DateTime<chrono::Utc>,
    id: UserId,
}

impl From<&User> for Position {
    fn from(user: &User) -> Self {
        Self { created_at: user.created_at, id: user.id }
    }
}

/// A user with what a login, a decision or a mail needs to know of the company.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Member {
    #[sqlx(flatten)]
    pub(crate) user: User,
    pub(crate) company_name: String,
    pub(crate) company_status: Status,
}

/// Returns a user of a company.
pub(crate) async fn find(conn: &mut PgConnection, company: CompanyId, user: UserId) -> Result<Option<User>, Error> {
    Ok(sqlx::query_as(
        "SELECT id, company_id, email, username, first_name, last_name, department, location, timezone, locale,
                is_active, created_at, updated_at, version
         FROM users WHERE company_id = $1 AND id = $2",
    )
    .bind(company)
    .bind(user)
    .fetch_optional(conn)
    .await?)
}

/// Returns a user of a company and locks the row.
pub(crate) async fn get_for_update(conn: &mut PgConnection, company: CompanyId, user: UserId) -> Result<User, Error> {
    sqlx::query_as(
        "SELECT id, company_id, email, username, first_name, last_name, department, location, timezone, locale,
                is_active, created_at, updated_at, version
         FROM users WHERE company_id = $1 AND id = $2 FOR UPDATE",
    )
    .bind(company)
    .bind(user)
    .fetch_optional(conn)
    .await?
    .ok_or(Error::NotFound)
}

/// Lists the users of a company that are among `users`.
pub(crate) async fn list_by_ids(
    conn: &mut PgConnection,
    company: CompanyId,
    users: &[UserId],
) -> Result<Vec<User>, Error> {
    Ok(sqlx::query_as(
        "SELECT id, company_id, email, username, first_name, last_name, department, location, timezone, locale,
                is_active, created_at, updated_at, version
         FROM users WHERE company_id = $1 AND id = ANY($2)",
    )
    .bind(company)
    .bind(users)
    .fetch_all(conn)
    .await?)
}

/// Lists the users of a company, newest first, one more than the page holds.
pub(crate) async fn list(
    conn: &mut PgConnection,
    company: CompanyId,
    active: Option<bool>,
    after: Option<&Position>,
    size: PageSize,
) -> Result<Vec<User>, Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT id, company_id, email, username, first_name, last_name, department, location, timezone, locale,
                is_active, created_at, updated_at, version
         FROM users WHERE company_id = ",
    );
    query.push_bind(company);
    if let Some(active) = active {
        query.push(" AND is_active = ").push_bind(active);
    }
    if let Some(after) = after {
        query.push(" AND (created_at, id) < (").push_bind(after.created_at).push(", ").push_bind(after.id).push(")");
    }
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(size.limit());
    Ok(query.build_query_as().fetch_all(conn).await?)
}

/// Finds a user of any company by address.
pub(crate) async fn find_member_by_email(conn: &mut PgConnection, email: &str) -> Result<Option<Member>, Error> {
    // no company: whoever logs in names only an address
    Ok(sqlx::query_as(
        "SELECT u.id, u.company_id, u.email, u.username, u.first_name, u.last_name, u.department, u.location,
                u.timezone, u.locale, u.is_active, u.created_at, u.updated_at, u.version,
                c.name AS company_name, c.status AS company_status
         FROM users u JOIN companies c ON c.id = u.company_id WHERE u.email_normalised = $1",
    )
    .bind(normalise(email))
    .fetch_optional(conn)
    .await?)
}

/// Finds a user of any company by id.
pub(crate) async fn find_member(conn: &mut PgConnection, user: UserId) -> Result<Option<Member>, Error> {
    // no company: other services know the id before they know the company
    Ok(sqlx::query_as(
        "SELECT u.id, u.company_id, u.email, u.username, u.first_name, u.last_name, u.department, u.location,
                u.timezone, u.locale, u.is_active, u.created_at, u.updated_at, u.version,
                c.name AS company_name, c.status AS company_status
         FROM users u JOIN companies c ON c.id = u.company_id WHERE u.id = $1",
    )
    .bind(user)
    .fetch_optional(conn)
    .await?)
}

/// Says whether an address is taken.
pub(crate) async fn email_exists(conn: &mut PgConnection, email: &Email) -> Result<bool, Error> {
    // no company: addresses are unique over all companies
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE email_normalised = $1)")
        .bind(email.normalised())
        .fetch_one(conn)
        .await?)
}

/// Inserts a user.
pub(crate) async fn insert(conn: &mut PgConnection, user: &User) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO users (id, company_id, email, email_normalised, username, first_name, last_name, department,
                            location, timezone, locale, is_active, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(user.id)
    .bind(user.company_id)
    .bind(&user.email)
    .bind(normalise(&user.email))
    .bind(&user.username)
    .bind(&user.first_name)
    .bind(&user.last_name)
    .bind(&user.department)
    .bind(&user.location)
    .bind(&user.timezone)
    .bind(&user.locale)
    .bind(user.is_active)
    .bind(user.created_at)
    .bind(user.updated_at)
    .bind(user.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the state of a user whose row is locked.
pub(crate) async fn update(conn: &mut PgConnection, user: &User) -> Result<(), Error> {
    sqlx::query("UPDATE users SET is_active = $3, updated_at = $4, version = $5 WHERE company_id = $1 AND id = $2")
        .bind(user.company_id)
        .bind(user.id)
        .bind(user.is_active)
        .bind(user.updated_at)
        .bind(user.version)
        .execute(conn)
        .await?;
    Ok(())
}

/// Counts active and other users of all companies.
pub(crate) async fn count(conn: &mut PgConnection) -> Result<Vec<(bool, i64)>, Error> {
    // no company: the metric has no company label
    Ok(sqlx::query_as("SELECT is_active, count(*) FROM users GROUP BY is_active").fetch_all(conn).await?)
}
