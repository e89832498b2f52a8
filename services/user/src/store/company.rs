//! The table of companies. A company is its own tenant, so its id is the scope.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::CompanyId;

use crate::domain::company::Company;
use crate::error::Error;

/// Finds a company and the hash of what signed it up.
pub(crate) async fn find(conn: &mut PgConnection, company: CompanyId) -> Result<Option<(Company, Vec<u8>)>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        company: Company,
        signup: Vec<u8>,
    }
    // no company: the id is the company's
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, name, slug, status, admin_id, created_at, updated_at, version, signup FROM companies WHERE id = $1",
    )
    .bind(company)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.company, row.signup)))
}

/// Finds a company and locks its row.
pub(crate) async fn find_for_update(conn: &mut PgConnection, company: CompanyId) -> Result<Option<Company>, Error> {
    // no company: the id is the company's
    Ok(sqlx::query_as(
        "SELECT id, name, slug, status, admin_id, created_at, updated_at, version FROM companies
         WHERE id = $1 FOR UPDATE",
    )
    .bind(company)
    .fetch_optional(conn)
    .await?)
}

/// Says whether a slug is taken.
pub(crate) async fn slug_exists(conn: &mut PgConnection, slug: &str) -> Result<bool, Error> {
    // no company: slugs are unique over all companies
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM companies WHERE slug = $1)").bind(slug).fetch_one(conn).await?)
}

/// Inserts a company with the hash of what signed it up.
pub(crate) async fn insert(conn: &mut PgConnection, company: &Company, signup: [u8; 32]) -> Result<(), Error> {
    // no company: the id is the company's
    sqlx::query(
        "INSERT INTO companies (id, name, slug, status, admin_id, signup, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(company.id)
    .bind(&company.name)
    .bind(&company.slug)
    .bind(company.status)
    .bind(company.admin_id)
    .bind(signup.as_slice())
    .bind(company.created_at)
    .bind(company.updated_at)
    .bind(company.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the state of a company whose row is locked.
pub(crate) async fn update(conn: &mut PgConnection, company: &Company) -> Result<(), Error> {
    // no company: the id is the company's
    sqlx::query("UPDATE companies SET status = $2, updated_at = $3, version = $4 WHERE id = $1")
        .bind(company.id)
        .bind(company.status)
        .bind(company.updated_at)
        .bind(company.version)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lists up to 100 companies whose sign-up began before `before` and is not finished.
pub(crate) async fn list_provisioning(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<Vec<Company>, Error> {
    // no company: the job finishes every sign-up
    Ok(sqlx::query_as(
        "SELECT id, name, slug, status, admin_id, created_at, updated_at, version FROM companies
         WHERE status = 'provisioning' AND created_at < $1 ORDER BY created_at LIMIT 100",
    )
    .bind(before)
    .fetch_all(conn)
    .await?)
}
