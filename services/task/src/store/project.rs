//! Projects in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};
use taskman_ids::{CompanyId, ProjectId, UserId};

use crate::domain::Priority;
use crate::domain::project::{Key, NewProject, Project, Status};
use crate::domain::text::{Description, Name};
use crate::error::Error;

/// Inserts a project with the first of `candidates` that is free; `None` when none is, or when another transaction has
/// just taken the one that seemed to be.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    project: &NewProject,
    candidates: &[Key],
) -> Result<Option<Key>, Error> {
    let candidates: Vec<&str> = candidates.iter().map(Key::as_str).collect();
    let key: Option<String> = sqlx::query_scalar(
        "INSERT INTO projects
             (company_id, id, key, name, description, status, priority, owner_id, created_at, updated_at, version)
         SELECT $1, $2, candidate, $4, $5, $6, $7, $8, $9, $9, 1
         FROM unnest($3::text[]) WITH ORDINALITY AS candidates (candidate, place)
         WHERE NOT EXISTS (SELECT FROM projects WHERE company_id = $1 AND key = candidate)
         ORDER BY place LIMIT 1
         ON CONFLICT (company_id, key) DO NOTHING
         RETURNING key",
    )
    .bind(project.company)
    .bind(project.id)
    .bind(candidates)
    .bind(project.name.as_str())
    .bind(project.description.as_str())
    .bind(NewProject::STATUS.as_str())
    .bind(project.priority.as_str())
    .bind(project.owner)
    .bind(project.created_at)
    .fetch_optional(conn)
    .await?;
    Ok(key.map(Key::stored))
}

/// Returns a project, if there is one.
pub(crate) async fn find(pool: &PgPool, company: CompanyId, id: ProjectId) -> Result<Option<Project>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT company_id, id, key, name, description, status, priority, owner_id, created_at, updated_at, version
         FROM projects WHERE company_id = $1 AND id = $2",
    )
    .bind(company)
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.map(Project::try_from).transpose()
}

/// Returns the state of a project.
pub(crate) async fn get_status(conn: &mut PgConnection, company: CompanyId, id: ProjectId) -> Result<Status, Error> {
    let status: Option<String> = sqlx::query_scalar("SELECT status FROM projects WHERE company_id = $1 AND id = $2")
        .bind(company)
        .bind(id)
        .fetch_optional(conn)
        .await?;
    parse_status(&status.ok_or(Error::ProjectNotFound)?)
}

/// Lists the projects of a company, newest first, from the one after `after`.
pub(crate) async fn list(
    pool: &PgPool,
    company: CompanyId,
    status: Option<Status>,
    after: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<Project>, Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT company_id, id, key, name, description, status, priority, owner_id, created_at, updated_at, version
         FROM projects WHERE company_id = ",
    );
    query.push_bind(company);
    if let Some(status) = status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(after) = after {
        query.push(" AND id < ").push_bind(after);
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    rows.into_iter().map(Project::try_from).collect()
}

/// What policies may read of a project.
#[derive(Debug, FromRow)]
pub(crate) struct Attributes {
    /// The project.
    pub(crate) id: ProjectId,
    /// Who answers for it.
    pub(crate) owner_id: UserId,
    /// Its state.
    pub(crate) status: String,
}

/// Returns the attributes of those of `ids` that exist.
pub(crate) async fn list_attributes(
    pool: &PgPool,
    company: CompanyId,
    ids: &[ProjectId],
) -> Result<Vec<Attributes>, Error> {
    let ids: Vec<_> = ids.iter().map(ProjectId::as_uuid).collect();
    let rows = sqlx::query_as("SELECT id, owner_id, status FROM projects WHERE company_id = $1 AND id = ANY ($2)")
        .bind(company)
        .bind(ids)
        .fetch_all(pool)
        .await?;
    Ok(rows)
}

/// Reads the state of a project as it stands in a row.
pub(super) fn parse_status(word: &str) -> Result<Status, Error> {
    Status::parse(word).ok_or(Error::Damaged("projects.status"))
}

#[derive(FromRow)]
struct Row {
    company_id: CompanyId,
    id: ProjectId,
    key: String,
    name: String,
    description: String,
    status: String,
    priority: String,
    owner_id: UserId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

impl TryFrom<Row> for Project {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            company: row.company_id,
            key: Key::stored(row.key),
            name: Name::stored(row.name),
            description: Description::stored(row.description),
            status: parse_status(&row.status)?,
            priority: Priority::parse(&row.priority).ok_or(Error::Damaged("projects.priority"))?,
            owner: row.owner_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}
