//! ListTasks.

use taskman_identity::Caller;
use taskman_ids::{ProjectId, TaskId, UserId};
use taskman_paging::{Page, PageSize, args_hash};

use crate::app::App;
use crate::domain::task::Task;
use crate::error::Error;
use crate::store;
use crate::store::task::{Filter, StatusFilter};

/// Whose tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignee {
    /// The caller's.
    Me,
    /// Somebody's.
    User(UserId),
}

/// Which tasks, and which page of them.
#[derive(Debug)]
pub(crate) struct ListTasks {
    /// Only tasks of this project.
    pub(crate) project: Option<ProjectId>,
    /// Only tasks of this assignee.
    pub(crate) assignee: Option<Assignee>,
    /// Only tasks in these states.
    pub(crate) status: Option<StatusFilter>,
    /// How many at most.
    pub(crate) size: PageSize,
    /// Where the last page ended.
    pub(crate) token: String,
}

/// Lists the tasks of the caller's company, newest first.
pub(crate) async fn list(app: &App, caller: &Caller, query: ListTasks) -> Result<Page<Task>, Error> {
    let assignee = query.assignee.map(|assignee| match assignee {
        Assignee::Me => caller.user,
        Assignee::User(user) => user,
    });
    let filter = Filter { project: query.project, assignee, status: query.status };
    let list = app.pages.list(args_hash(&("ListTasks", filter)), caller.company, app.clock.now());
    let after: Option<TaskId> = list.open(&query.token)?;
    let rows = store::task::list(app.db.read(), caller.company, filter, after, query.size.limit()).await?;
    if let (true, Some(project)) = (rows.is_empty(), query.project) {
        // A project without tasks has an empty list, no project has none: asked only where the two look the same.
        app.find_project(caller.company, project).await?.ok_or(Error::ProjectNotFound)?;
    }
    Ok(list.page(rows, query.size, |last| last.id))
}
