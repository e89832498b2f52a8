//! The tables of roles, policies and assignments.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_ids::{CompanyId, PolicyId, RoleId, UserId};
use taskman_policy::policy::UnknownName;
use taskman_policy::{Effect, PolicySource, Status};

use crate::domain::change::{CompanyState, IamChange, RulesChange, What};
use crate::domain::rules::{Held, Role};
use crate::error::Error;

/// A policy as a row.
#[derive(sqlx::FromRow)]
struct PolicyRow {
    company_id: CompanyId,
    id: PolicyId,
    name: String,
    effect: String,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Option<String>,
    status: String,
    version: i32,
}

impl TryFrom<PolicyRow> for PolicySource {
    type Error = UnknownName;

    fn try_from(row: PolicyRow) -> Result<Self, UnknownName> {
        Ok(Self {
            id: row.id,
            name: row.name,
            effect: row.effect.parse::<Effect>()?,
            actions: row.actions,
            resources: row.resources,
            condition: row.condition,
            status: row.status.parse::<Status>()?,
            version: row.version,
        })
    }
}

/// Returns everything of at most `limit` companies, those after `after`.
pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<CompanyId>,
    limit: i64,
) -> Result<Vec<(CompanyId, CompanyState)>, Error> {
    // no company: decisions are made for all of them
    let companies: Vec<CompanyId> = sqlx::query_scalar(
        "SELECT DISTINCT company_id FROM roles WHERE $1::uuid IS NULL OR company_id > $1 ORDER BY company_id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut states: BTreeMap<CompanyId, CompanyState> =
        companies.iter().map(|company| (*company, CompanyState::default())).collect();
    let roles: Vec<(CompanyId, RoleId, String, Vec<PolicyId>)> = sqlx::query_as(
        "SELECT r.company_id, r.id, r.name, array_remove(array_agg(p.policy_id), NULL)
         FROM roles r LEFT JOIN role_policies p ON p.company_id = r.company_id AND p.role_id = r.id
         WHERE r.company_id = ANY($1) GROUP BY r.company_id, r.id",
    )
    .bind(&companies)
    .fetch_all(&mut *conn)
    .await?;
    for (company, id, name, policies) in roles {
        states.entry(company).or_default().roles.push(Role { id, name, policies });
    }
    for row in list_policies(conn, &companies).await? {
        let company = row.company_id;
        // The table admits only names that are known; see its CHECK.
        let policy = row.try_into().map_err(|_| sqlx::Error::Decode("unknown effect or status".into()))?;
        states.entry(company).or_default().policies.push(policy);
    }
    for (company, held) in list_held(conn, &companies).await? {
        states.entry(company).or_default().held = held.into_iter().collect();
    }
    Ok(states.into_iter().collect())
}

async fn list_policies(conn: &mut PgConnection, companies: &[CompanyId]) -> Result<Vec<PolicyRow>, Error> {
    Ok(sqlx::query_as(
        "SELECT company_id, id, name, effect, actions, resources, condition, status, version
         FROM policies WHERE company_id = ANY($1)",
    )
    .bind(companies)
    .fetch_all(conn)
    .await?)
}

async fn list_held(
    conn: &mut PgConnection,
    companies: &[CompanyId],
) -> Result<HashMap<CompanyId, HashMap<UserId, Vec<Held>>>, Error> {
    let rows: Vec<(CompanyId, UserId, RoleId, Option<DateTime<Utc>>)> =
        sqlx::query_as("SELECT company_id, user_id, role_id, expires_at FROM subject_roles WHERE company_id = ANY($1)")
            .bind(companies)
            .fetch_all(conn)
            .await?;
    let mut held: HashMap<CompanyId, HashMap<UserId, Vec<Held>>> = HashMap::new();
    for (company, user, role, expires_at) in rows {
        held.entry(company).or_default().entry(user).or_default().push(Held { role, expires_at });
    }
    Ok(held)
}

/// Writes the state that a change leaves.
pub(crate) async fn apply(conn: &mut PgConnection, change: &IamChange) -> Result<(), Error> {
    let company = change.company;
    match &change.what {
        What::Rules(RulesChange::Role(role)) => upsert_role(conn, company, role).await,
        What::Rules(RulesChange::RoleDeleted(role)) => delete_role(conn, company, *role).await,
        What::Rules(RulesChange::Policy(policy)) => upsert_policy(conn, company, policy).await,
        What::Rules(RulesChange::PolicyDeleted(policy)) => delete_policy(conn, company, *policy).await,
        What::Rules(RulesChange::All(roles, policies)) => replace_rules(conn, company, roles, policies).await,
        What::Held(user, held) => replace_held(conn, company, *user, held).await,
        What::Company(state) => {
            replace_rules(conn, company, &state.roles, &state.policies).await?;
            sqlx::query("DELETE FROM subject_roles WHERE company_id = $1").bind(company).execute(&mut *conn).await?;
            for (user, held) in &state.held {
                replace_held(conn, company, *user, held).await?;
            }
            Ok(())
        }
    }
}

async fn upsert_role(conn: &mut PgConnection, company: CompanyId, role: &Role) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO roles (company_id, id, name) VALUES ($1, $2, $3)
         ON CONFLICT (company_id, id) DO UPDATE SET name = excluded.name",
    )
    .bind(company)
    .bind(role.id)
    .bind(&role.name)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM role_policies WHERE company_id = $1 AND role_id = $2")
        .bind(company)
        .bind(role.id)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO role_policies (company_id, role_id, policy_id)
         SELECT DISTINCT $1::uuid, $2::uuid, policy_id FROM unnest($3::uuid[]) AS policy_id",
    )
    .bind(company)
    .bind(role.id)
    .bind(&role.policies)
    .execute(conn)
    .await?;
    Ok(())
}

async fn delete_role(conn: &mut PgConnection, company: CompanyId, role: RoleId) -> Result<(), Error> {
    for statement in [
        "DELETE FROM role_policies WHERE company_id = $1 AND role_id = $2",
        "DELETE FROM subject_roles WHERE company_id = $1 AND role_id = $2",
        "DELETE FROM roles WHERE company_id = $1 AND id = $2",
    ] {
        sqlx::query(statement).bind(company).bind(role).execute(&mut *conn).await?;
    }
    Ok(())
}

async fn upsert_policy(conn: &mut PgConnection, company: CompanyId, policy: &PolicySource) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO policies (company_id, id, name, effect, actions, resources, condition, status, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (company_id, id) DO UPDATE
         SET name = excluded.name, effect = excluded.effect, actions = excluded.actions,
             resources = excluded.resources, condition = excluded.condition, status = excluded.status,
             version = excluded.version",
    )
    .bind(company)
    .bind(policy.id)
    .bind(&policy.name)
    .bind(policy.effect.as_str())
    .bind(&policy.actions)
    .bind(&policy.resources)
    .bind(&policy.condition)
    .bind(policy.status.as_str())
    .bind(policy.version)
    .execute(conn)
    .await?;
    Ok(())
}

async fn delete_policy(conn: &mut PgConnection, company: CompanyId, policy: PolicyId) -> Result<(), Error> {
    for statement in [
        "DELETE FROM role_policies WHERE company_id = $1 AND policy_id = $2",
        "DELETE FROM policies WHERE company_id = $1 AND id = $2",
    ] {
        sqlx::query(statement).bind(company).bind(policy).execute(&mut *conn).await?;
    }
    Ok(())
}

async fn replace_rules(
    conn: &mut PgConnection,
    company: CompanyId,
    roles: &[Role],
    policies: &[PolicySource],
) -> Result<(), Error> {
    for statement in [
        "DELETE FROM role_policies WHERE company_id = $1",
        "DELETE FROM roles WHERE company_id = $1",
        "DELETE FROM policies WHERE company_id = $1",
    ] {
        sqlx::query(statement).bind(company).execute(&mut *conn).await?;
    }
    for role in roles {
        upsert_role(conn, company, role).await?;
    }
    for policy in policies {
        upsert_policy(conn, company, policy).await?;
    }
    Ok(())
}

async fn replace_held(conn: &mut PgConnection, company: CompanyId, user: UserId, held: &[Held]) -> Result<(), Error> {
    sqlx::query("DELETE FROM subject_roles WHERE company_id = $1 AND user_id = $2")
        .bind(company)
        .bind(user)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO subject_roles (company_id, user_id, role_id, expires_at)
         SELECT $1, $2, role_id, expires_at FROM unnest($3::uuid[], $4::timestamptz[]) AS held (role_id, expires_at)
         ON CONFLICT DO NOTHING",
    )
    .bind(company)
    .bind(user)
    .bind(held.iter().map(|held| held.role.as_uuid()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.expires_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes everything, to be followed anew.
pub(crate) async fn delete_all(conn: &mut PgConnection) -> Result<(), Error> {
    // no company: the whole stream begins anew
    for statement in
        ["DELETE FROM role_policies", "DELETE FROM subject_roles", "DELETE FROM roles", "DELETE FROM policies"]
    {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    Ok(())
}
