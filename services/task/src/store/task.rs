//! Tasks in PostgreSQL.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};
use taskman_ids::{CompanyId, ProjectId, TaskId, UserId};

use crate::domain::task::{NewTask, Status, Task};
use crate::domain::text::{Description, Title};
use crate::domain::{Hours, Priority, project};
use crate::error::Error;

/// Takes the next number of the project and inserts the task with it, in one statement; returns number and key.
///
/// The row of the project is locked from here to the end of the transaction, so numbers have no gaps. `None` when there
/// is no such project, or when it takes no tasks any more.
pub(crate) async fn insert(conn: &mut PgConnection, task: &NewTask) -> Result<Option<(i32, String)>, Error> {
    let inserted = sqlx::query_as(
        "WITH counter AS (
             UPDATE projects SET last_task_number = last_task_number + 1
             WHERE company_id = $1 AND id = $3 AND status NOT IN ('completed', 'cancelled')
             RETURNING key, last_task_number)
         INSERT INTO tasks
             (company_id, id, project_id, number, key, title, description, status, priority, assignee_id, creator_id,
              estimated_hours, due_date, created_at, updated_at, version)
         SELECT $1, $2, $3, last_task_number, key || '-' || last_task_number, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, 1
         FROM counter
         RETURNING number, key",
    )
    .bind(task.company)
    .bind(task.id)
    .bind(task.project)
    .bind(task.title.as_str())
    .bind(task.description.as_str())
    .bind(NewTask::STATUS.as_str())
    .bind(task.priority.as_str())
    .bind(task.assignee)
    .bind(task.creator)
    .bind(task.estimated_hours.map(Hours::as_decimal))
    .bind(task.due_date)
    .bind(task.created_at)
    .fetch_optional(conn)
    .await?;
    Ok(inserted)
}

/// Returns a task, if there is one.
pub(crate) async fn find(pool: &PgPool, company: CompanyId, id: TaskId) -> Result<Option<Task>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT company_id, id, project_id, number, key, title, description, status, priority, assignee_id, creator_id,
                estimated_hours, actual_hours, due_date, started_at, completed_at, completed_by, created_at, updated_at,
                version
         FROM tasks WHERE company_id = $1 AND id = $2",
    )
    .bind(company)
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.map(Task::try_from).transpose()
}

/// Returns a task and the state of its project, and keeps others from changing the task until the transaction ends.
pub(crate) async fn get_for_update(
    conn: &mut PgConnection,
    company: CompanyId,
    id: TaskId,
) -> Result<(Task, project::Status), Error> {
    let row: Option<RowInProject> = sqlx::query_as(
        "SELECT t.company_id, t.id, t.project_id, t.number, t.key, t.title, t.description, t.status, t.priority,
                t.assignee_id, t.creator_id, t.estimated_hours, t.actual_hours, t.due_date, t.started_at,
                t.completed_at, t.completed_by, t.created_at, t.updated_at, t.version, p.status AS project_status
         FROM tasks t JOIN projects p ON p.company_id = t.company_id AND p.id = t.project_id
         WHERE t.company_id = $1 AND t.id = $2
         FOR NO KEY UPDATE OF t",
    )
    .bind(company)
    .bind(id)
    .fetch_optional(conn)
    .await?;
    let row = row.ok_or(Error::TaskNotFound)?;
    Ok((row.task.try_into()?, super::project::parse_status(&row.project_status)?))
}

/// Stores a task whose version is one more than that of its row; any other row is not touched and the task is stale.
pub(crate) async fn update(conn: &mut PgConnection, task: &Task) -> Result<(), Error> {
    let updated = sqlx::query(
        "UPDATE tasks
         SET status = $3, assignee_id = $4, actual_hours = $5, started_at = $6, completed_at = $7, completed_by = $8,
             updated_at = $9, version = $10
         WHERE company_id = $1 AND id = $2 AND version = $10 - 1",
    )
    .bind(task.company)
    .bind(task.id)
    .bind(task.status.as_str())
    .bind(task.assignee)
    .bind(task.actual_hours.map(Hours::as_decimal))
    .bind(task.started_at)
    .bind(task.completed_at)
    .bind(task.completed_by)
    .bind(task.updated_at)
    .bind(task.version)
    .execute(conn)
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(Error::Stale { current: task.version }) }
}

/// Which states a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StatusFilter {
    /// One state.
    Is(Status),
    /// Those in which there is something left to do.
    Active,
}

/// Which tasks a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Filter {
    /// Those of a project.
    pub(crate) project: Option<ProjectId>,
    /// Those of an assignee.
    pub(crate) assignee: Option<UserId>,
    /// Those in some states.
    pub(crate) status: Option<StatusFilter>,
}

/// Lists the tasks of a company, newest first, from the one after `after`.
pub(crate) async fn list(
    pool: &PgPool,
    company: CompanyId,
    filter: Filter,
    after: Option<TaskId>,
    limit: i64,
) -> Result<Vec<Task>, Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT company_id, id, project_id, number, key, title, description, status, priority, assignee_id, creator_id,
                estimated_hours, actual_hours, due_date, started_at, completed_at, completed_by, created_at, updated_at,
                version
         FROM tasks WHERE company_id = ",
    );
    query.push_bind(company);
    if let Some(project) = filter.project {
        query.push(" AND project_id = ").push_bind(project);
    }
    if let Some(assignee) = filter.assignee {
        query.push(" AND assignee_id = ").push_bind(assignee);
    }
    // Literals, not parameters: only so does the planner see that the index of active tasks fits.
    match filter.status {
        Some(StatusFilter::Is(status)) => {
            query.push(" AND status = '").push(status.as_str()).push("'");
        }
        Some(StatusFilter::Active) => {
            query.push(" AND status IN ('todo', 'in_progress', 'review')");
        }
        None => {}
    }
    if let Some(after) = after {
        query.push(" AND id < ").push_bind(after);
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    rows.into_iter().map(Task::try_from).collect()
}

/// What policies may read of a task.
#[derive(Debug, FromRow)]
pub(crate) struct Attributes {
    /// The task.
    pub(crate) id: TaskId,
    /// Its project.
    pub(crate) project_id: ProjectId,
    /// Who created it.
    pub(crate) creator_id: UserId,
    /// Who works on it.
    pub(crate) assignee_id: Option<UserId>,
    /// Its state.
    pub(crate) status: String,
}

/// Returns the attributes of those of `ids` that exist.
pub(crate) async fn list_attributes(
    pool: &PgPool,
    company: CompanyId,
    ids: &[TaskId],
) -> Result<Vec<Attributes>, Error> {
    let ids: Vec<_> = ids.iter().map(TaskId::as_uuid).collect();
    let rows = sqlx::query_as(
        "SELECT id, project_id, creator_id, assignee_id, status FROM tasks WHERE company_id = $1 AND id = ANY ($2)",
    )
    .bind(company)
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Counts the active tasks of all companies by state.
pub(crate) async fn count_active(pool: &PgPool) -> Result<Vec<(Status, i64)>, Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "-- no company: a metric over all of them
         SELECT status, count(*) FROM tasks WHERE status IN ('todo', 'in_progress', 'review') GROUP BY status",
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(|(word, count)| Ok((parse_status(&word)?, count))).collect()
}

fn parse_status(word: &str) -> Result<Status, Error> {
    Status::parse(word).ok_or(Error::Damaged("tasks.status"))
}

#[derive(FromRow)]
struct Row {
    company_id: CompanyId,
    id: TaskId,
    project_id: ProjectId,
    number: i32,
    key: String,
    title: String,
    description: String,
    status: String,
    priority: String,
    assignee_id: Option<UserId>,
    creator_id: UserId,
    estimated_hours: Option<Decimal>,
    actual_hours: Option<Decimal>,
    due_date: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    completed_by: Option<UserId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

#[derive(FromRow)]
struct RowInProject {
    #[sqlx(flatten)]
    task: Row,
    project_status: String,
}

impl TryFrom<Row> for Task {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            company: row.company_id,
            project: row.project_id,
            number: row.number,
            key: row.key,
            title: Title::stored(row.title),
            description: Description::stored(row.description),
            status: parse_status(&row.status)?,
            priority: Priority::parse(&row.priority).ok_or(Error::Damaged("tasks.priority"))?,
            assignee: row.assignee_id,
            creator: row.creator_id,
            estimated_hours: hours(row.estimated_hours, "tasks.estimated_hours")?,
            actual_hours: hours(row.actual_hours, "tasks.actual_hours")?,
            due_date: row.due_date,
            started_at: row.started_at,
            completed_at: row.completed_at,
            completed_by: row.completed_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

fn hours(stored: Option<Decimal>, column: &'static str) -> Result<Option<Hours>, Error> {
    stored.map(|hours| Hours::stored(hours).ok_or(Error::Damaged(column))).transpose()
}
