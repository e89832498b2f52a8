//! ListProjects.

use taskman_identity::Caller;
use taskman_ids::ProjectId;
use taskman_paging::{Page, PageSize, args_hash};

use crate::app::App;
use crate::domain::project::{Project, Status};
use crate::error::Error;
use crate::store;

/// Which projects, and which page of them.
#[derive(Debug)]
pub(crate) struct ListProjects {
    /// Only projects in this state.
    pub(crate) status: Option<Status>,
    /// How many at most.
    pub(crate) size: PageSize,
    /// Where the last page ended.
    pub(crate) token: String,
}

/// Lists the projects of the caller's company, newest first.
pub(crate) async fn list(app: &App, caller: &Caller, query: ListProjects) -> Result<Page<Project>, Error> {
    let hash = args_hash(&("ListProjects", query.status));
    let list = app.pages.list(hash, caller.company, app.clock.now());
    let after: Option<ProjectId> = list.open(&query.token)?;
    let rows = store::project::list(app.db.read(), caller.company, query.status, after, query.size.limit()).await?;
    Ok(list.page(rows, query.size, |last| last.id))
}
