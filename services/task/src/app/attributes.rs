//! BatchGetResourceAttributes: what policies may read of projects and tasks.

use std::collections::HashMap;

use taskman_ids::{CompanyId, ProjectId, TaskId};

use crate::app::App;
use crate::error::Error;
use crate::store;

/// Which records of which company.
#[derive(Debug)]
pub(crate) struct BatchGetAttributes {
    /// The company.
    pub(crate) company: CompanyId,
    /// The sort of record: `projects` or `tasks`; of any other there are none here.
    pub(crate) kind: String,
    /// Their ids, as the asker writes them.
    pub(crate) ids: Vec<String>,
}

/// The attributes of one record: name and value, those without a value left out.
pub(crate) type Attributes = Vec<(&'static str, String)>;

/// Returns the id, as it was asked for, and the attributes of each record that exists. It reads the primary: decisions rest
/// on what is committed.
pub(crate) async fn batch_get(app: &App, query: BatchGetAttributes) -> Result<Vec<(String, Attributes)>, Error> {
    let found = match query.kind.as_str() {
        "projects" => projects(app, query.company, &query.ids).await?,
        "tasks" => tasks(app, query.company, &query.ids).await?,
        _ => return Ok(Vec::new()),
    };
    let known = |id: String| {
        let attributes = found.get(&id.to_ascii_lowercase())?.clone();
        Some((id, attributes))
    };
    Ok(query.ids.into_iter().filter_map(known).collect())
}

async fn projects(app: &App, company: CompanyId, ids: &[String]) -> Result<HashMap<String, Attributes>, Error> {
    let ids: Vec<_> = ids.iter().filter_map(|id| ProjectId::parse(id).ok()).collect();
    let rows = store::project::list_attributes(app.db.primary(), company, &ids).await?;
    let attributes = |row: store::project::Attributes| {
        let owner = row.owner_id.to_string();
        (row.id.to_string(), vec![("owner", owner.clone()), ("owner_id", owner), ("status", row.status)])
    };
    Ok(rows.into_iter().map(attributes).collect())
}

async fn tasks(app: &App, company: CompanyId, ids: &[String]) -> Result<HashMap<String, Attributes>, Error> {
    let ids: Vec<_> = ids.iter().filter_map(|id| TaskId::parse(id).ok()).collect();
    let rows = store::task::list_attributes(app.db.primary(), company, &ids).await?;
    let attributes = |row: store::task::Attributes| {
        let creator = row.creator_id.to_string();
        let mut attributes = vec![
            ("owner", creator.clone()),
            ("creator_id", creator),
            ("project_id", row.project_id.to_string()),
            ("status", row.status),
        ];
        attributes.extend(row.assignee_id.map(|assignee| ("assignee_id", assignee.to_string())));
        (row.id.to_string(), attributes)
    };
    Ok(rows.into_iter().map(attributes).collect())
}
