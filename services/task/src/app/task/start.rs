//! StartTask.

use taskman_identity::Caller;
use taskman_ids::TaskId;
use taskman_messaging::outbox;

use crate::app::App;
use crate::app::change::{Begun, Change, Repeatable};
use crate::domain::task::Task;
use crate::error::Error;
use crate::store;

const METHOD: &str = "/taskman.task.v1.TaskService/StartTask";

/// Which task to begin.
#[derive(Debug)]
pub(crate) struct StartTask {
    /// The task.
    pub(crate) task: TaskId,
    /// The version that the caller knows.
    pub(crate) version: Option<i32>,
    /// Makes the request repeatable.
    pub(crate) request: Option<Repeatable>,
}

/// Begins work on a task.
pub(crate) async fn start(app: &App, caller: &Caller, cmd: StartTask) -> Result<Task, Error> {
    let mut change = match Change::begin(app, caller, METHOD, cmd.request).await? {
        Begun::Repeated(task) => return Ok(task),
        Begun::Fresh(change) => change,
    };
    let (mut task, project) = store::task::get_for_update(&mut change.tx, caller.company, cmd.task).await?;
    let now = app.clock.now();
    task.expect_version(cmd.version)?;
    let started = task.start(project, caller.user, now)?;
    store::task::update(&mut change.tx, &task).await?;
    outbox::record(&mut change.tx, &taskman_rpc::origin(caller), &started, now).await?;
    change.commit(app, &task).await?;
    app.keep_task(&task).await;
    Ok(task)
}
