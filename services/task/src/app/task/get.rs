//! GetTask.

use taskman_identity::Caller;
use taskman_ids::TaskId;

use crate::app::App;
use crate::domain::task::Task;
use crate::error::Error;

/// Returns a task of the caller's company.
pub(crate) async fn get(app: &App, caller: &Caller, id: TaskId) -> Result<Task, Error> {
    app.find_task(caller.company, id).await?.ok_or(Error::TaskNotFound)
}
