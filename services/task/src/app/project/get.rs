//! GetProject.

use taskman_identity::Caller;
use taskman_ids::ProjectId;

use crate::app::App;
use crate::domain::project::Project;
use crate::error::Error;

/// Returns a project of the caller's company.
pub(crate) async fn get(app: &App, caller: &Caller, id: ProjectId) -> Result<Project, Error> {
    app.find_project(caller.company, id).await?.ok_or(Error::ProjectNotFound)
}
