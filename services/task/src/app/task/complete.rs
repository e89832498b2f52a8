//! CompleteTask.

use taskman_identity::Caller;
use taskman_ids::TaskId;
use taskman_messaging::outbox;

use crate::app::App;
use crate::app::change::{Begun, Change, Repeatable};
use crate::domain::Hours;
use crate::domain::task::Task;
use crate::error::Error;
use crate::store;

const METHOD: &str = "/taskman.task.v1.TaskService/CompleteTask";

/// Which task is done.
#[derive(Debug)]
pub(crate) struct CompleteTask {
    /// The task.
    pub(crate) task: TaskId,
    /// How long it took.
    pub(crate) actual_hours: Option<Hours>,
    /// The version that the caller knows.
    pub(crate) version: Option<i32>,
    /// Makes the request repeatable.
    pub(crate) request: Option<Repeatable>,
}

/// Completes a task of which the caller is the assignee.
pub(crate) async fn complete(app: &App, caller: &Caller, cmd: CompleteTask) -> Result<Task, Error> {
    let mut change = match Change::begin(app, caller, METHOD, cmd.request).await? {
        Begun::Repeated(task) => return Ok(task),
        Begun::Fresh(change) => change,
    };
    let (mut task, project) = store::task::get_for_update(&mut change.tx, caller.company, cmd.task).await?;
    let now = app.clock.now();
    task.expect_version(cmd.version)?;
    let completed = task.complete(project, cmd.actual_hours, caller.user, now)?;
    store::task::update(&mut change.tx, &task).await?;
    outbox::record(&mut change.tx, &taskman_rpc::origin(caller), &completed, now).await?;
    change.commit(app, &task).await?;
    app.keep_task(&task).await;
    Ok(task)
}
