//! Projects and tasks at hand for reading: under `task:project:{company}:{id}` and `task:details:{company}:{id}`.
//!
//! For answers only: a use case that decides reads its transaction.

use std::sync::Arc;
use std::time::Duration;

use taskman_cache::Entry;
use taskman_ids::{CompanyId, ProjectId, TaskId};

use crate::app::App;
use crate::domain::project::Project;
use crate::domain::task::Task;
use crate::error::Error;
use crate::store;

const TEN_MINUTES: Duration = Duration::from_mins(10);

impl Entry for Project {
    const KIND: &'static str = "project";
    const TTL: Duration = TEN_MINUTES;

    fn version(&self) -> i64 {
        self.version.into()
    }
}

impl Entry for Task {
    const KIND: &'static str = "details";
    const TTL: Duration = TEN_MINUTES;

    fn version(&self) -> i64 {
        self.version.into()
    }
}

impl App {
    /// Returns a project, perhaps one of at most a second ago.
    ///
    /// What is missing in the cache comes from the primary: a replica that lags behind would fill in what is old.
    pub(super) async fn find_project(&self, company: CompanyId, id: ProjectId) -> Result<Option<Project>, Error> {
        let load = store::project::find(self.db.primary(), company, id);
        Ok(self.cache.get_or_load(company, id, load).await?.map(Arc::unwrap_or_clone))
    }

    /// Returns a task, perhaps one of at most a second ago.
    pub(super) async fn find_task(&self, company: CompanyId, id: TaskId) -> Result<Option<Task>, Error> {
        let load = store::task::find(self.db.primary(), company, id);
        Ok(self.cache.get_or_load(company, id, load).await?.map(Arc::unwrap_or_clone))
    }

    /// Puts the version that was just committed into the cache.
    pub(super) async fn keep_project(&self, project: &Project) {
        self.cache.put(project.company, project.id, project).await;
    }

    /// Puts the version that was just committed into the cache.
    pub(super) async fn keep_task(&self, task: &Task) {
        self.cache.put(task.company, task.id, task).await;
    }
}
