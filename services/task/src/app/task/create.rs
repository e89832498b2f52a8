//! CreateTask.

use chrono::{DateTime, Utc};
use taskman_identity::Caller;
use taskman_ids::{ProjectId, TaskId, UserId};
use taskman_messaging::outbox;

use crate::app::App;
use crate::app::change::{Begun, Change, Repeatable};
use crate::domain::task::{NewTask, Task};
use crate::domain::text::{Description, Title};
use crate::domain::{Hours, Priority};
use crate::error::Error;
use crate::{metrics, store};

const METHOD: &str = "/taskman.task.v1.TaskService/CreateTask";

/// The task to be.
#[derive(Debug)]
pub(crate) struct CreateTask {
    /// The project.
    pub(crate) project: ProjectId,
    /// What is to be done.
    pub(crate) title: Title,
    /// What there is to say about it.
    pub(crate) description: Description,
    /// How much it matters.
    pub(crate) priority: Priority,
    /// When it should be done.
    pub(crate) due_date: Option<DateTime<Utc>>,
    /// Who shall work on it.
    pub(crate) assignee: Option<UserId>,
    /// How long it should take.
    pub(crate) estimated_hours: Option<Hours>,
    /// Makes the request repeatable.
    pub(crate) request: Option<Repeatable>,
}

/// Creates a task in a project of the caller's company, and gives it to somebody if the request says so.
pub(crate) async fn create(app: &App, caller: &Caller, cmd: CreateTask) -> Result<Task, Error> {
    let candidate = match cmd.assignee {
        Some(assignee) => {
            app.access.require(caller, "tasks:assign", &["tasks".to_owned()]).await?;
            Some(app.users.candidate(caller.company, assignee).await)
        }
        None => None,
    };
    let mut change = match Change::begin(app, caller, METHOD, cmd.request).await? {
        Begun::Repeated(task) => return Ok(task),
        Begun::Fresh(change) => change,
    };
    let now = app.clock.now();
    let draft = NewTask {
        id: TaskId::new(),
        company: caller.company,
        project: cmd.project,
        title: cmd.title,
        description: cmd.description,
        priority: cmd.priority,
        assignee: cmd.assignee,
        creator: caller.user,
        estimated_hours: cmd.estimated_hours,
        due_date: cmd.due_date,
        created_at: now,
    };
    let (number, key) = insert(&mut change, &draft).await?;
    if let Some(candidate) = candidate {
        // After the project, as everywhere: whoever sees neither learns of the missing project first.
        candidate?.assignee()?;
    }
    let (task, told) = draft.created(number, key);
    let origin = taskman_rpc::origin(caller);
    outbox::record(&mut change.tx, &origin, &told.created, now).await?;
    if let Some(assigned) = &told.assigned {
        outbox::record(&mut change.tx, &origin, assigned, now).await?;
    }
    change.commit(app, &task).await?;
    metrics::task_created();
    app.keep_task(&task).await;
    Ok(task)
}

async fn insert(change: &mut Change, draft: &NewTask) -> Result<(i32, String), Error> {
    if let Some(numbered) = store::task::insert(&mut change.tx, draft).await? {
        return Ok(numbered);
    }
    // Nothing was inserted: either there is no such project, or its state says why.
    store::project::get_status(&mut change.tx, draft.company, draft.project).await?.takes_changes()?;
    // It was closed a moment ago and is open again: as if the call had come between the two.
    store::task::insert(&mut change.tx, draft).await?.ok_or(Error::ProjectNotFound)
}
