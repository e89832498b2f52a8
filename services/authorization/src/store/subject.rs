//! The table of users.

use std::collections::HashMap;

use sqlx::PgConnection;
use taskman_ids::{CompanyId, UserId};

use crate::domain::subject::Subject;
use crate::error::Error;

/// A user as a row.
#[derive(sqlx::FromRow)]
struct SubjectRow {
    company_id: CompanyId,
    user_id: UserId,
    email: String,
    department: Option<String>,
    location: Option<String>,
    is_active: bool,
    company_suspended: bool,
}

impl From<SubjectRow> for Subject {
    fn from(row: SubjectRow) -> Self {
        Self {
            id: row.user_id,
            company: row.company_id,
            email: row.email,
            department: row.department,
            location: row.location,
            active: row.is_active,
            company_suspended: row.company_suspended,
        }
    }
}

/// Lists at most `limit` users of all companies, those after `after`.
pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<(CompanyId, UserId)>,
    limit: i64,
) -> Result<Vec<Subject>, Error> {
    let (company, user) = after.unzip();
    // no company: decisions are made for all of them
    let rows: Vec<SubjectRow> = sqlx::query_as(
        "SELECT company_id, user_id, email, department, location, is_active, company_suspended FROM subjects
         WHERE $1::uuid IS NULL OR (company_id, user_id) > ($1, $2::uuid)
         ORDER BY company_id, user_id LIMIT $3",
    )
    .bind(company)
    .bind(user)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Writes users as they are now; of several states of one user the last counts.
pub(crate) async fn upsert(conn: &mut PgConnection, subjects: &[Subject]) -> Result<(), Error> {
    let last: HashMap<UserId, &Subject> = subjects.iter().map(|subject| (subject.id, subject)).collect();
    let last: Vec<&Subject> = last.into_values().collect();
    let column = |of: fn(&Subject) -> Option<&str>| -> Vec<Option<String>> {
        last.iter().map(|subject| of(subject).map(str::to_owned)).collect()
    };
    sqlx::query(
        "INSERT INTO subjects (company_id, user_id, email, department, location, is_active, company_suspended)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::boolean[])
         ON CONFLICT (company_id, user_id) DO UPDATE
         SET email = excluded.email, department = excluded.department, location = excluded.location,
             is_active = excluded.is_active, company_suspended = excluded.company_suspended",
    )
    .bind(last.iter().map(|subject| subject.company.as_uuid()).collect::<Vec<_>>())
    .bind(last.iter().map(|subject| subject.id.as_uuid()).collect::<Vec<_>>())
    .bind(column(|subject| Some(&subject.email)))
    .bind(column(|subject| subject.department.as_deref()))
    .bind(column(|subject| subject.location.as_deref()))
    .bind(last.iter().map(|subject| subject.active).collect::<Vec<_>>())
    .bind(last.iter().map(|subject| subject.company_suspended).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes all users, to be followed anew.
pub(crate) async fn delete_all(conn: &mut PgConnection) -> Result<(), Error> {
    // no company: the whole stream begins anew
    sqlx::query("DELETE FROM subjects").execute(conn).await?;
    Ok(())
}
