//! AssignTask.

use taskman_identity::Caller;
use taskman_ids::{TaskId, UserId};
use taskman_messaging::outbox;

use crate::app::App;
use crate::app::change::{Begun, Change, Repeatable};
use crate::domain::task::Task;
use crate::error::Error;
use crate::store;

const METHOD: &str = "/taskman.task.v1.TaskService/AssignTask";

/// Who shall work on which task.
#[derive(Debug)]
pub(crate) struct AssignTask {
    /// The task.
    pub(crate) task: TaskId,
    /// Who shall work on it.
    pub(crate) assignee: UserId,
    /// The version that the caller knows.
    pub(crate) version: Option<i32>,
    /// Makes the request repeatable.
    pub(crate) request: Option<Repeatable>,
}

/// Gives a task to an active member of the caller's company.
pub(crate) async fn assign(app: &App, caller: &Caller, cmd: AssignTask) -> Result<Task, Error> {
    // Asked before the transaction, so that no row is locked while another service thinks; looked at in the rule's order.
    let candidate = app.users.candidate(caller.company, cmd.assignee).await;
    let mut change = match Change::begin(app, caller, METHOD, cmd.request).await? {
        Begun::Repeated(task) => return Ok(task),
        Begun::Fresh(change) => change,
    };
    let (mut task, project) = store::task::get_for_update(&mut change.tx, caller.company, cmd.task).await?;
    let now = app.clock.now();
    task.expect_version(cmd.version)?;
    if let Some(assigned) = task.assign(project, candidate, caller.user, now)? {
        store::task::update(&mut change.tx, &task).await?;
        outbox::record(&mut change.tx, &taskman_rpc::origin(caller), &assigned, now).await?;
    }
    change.commit(app, &task).await?;
    app.keep_task(&task).await;
    Ok(task)
}
