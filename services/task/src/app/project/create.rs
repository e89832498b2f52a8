//! CreateProject.

use taskman_identity::Caller;
use taskman_ids::ProjectId;
use taskman_messaging::outbox;

use crate::app::App;
use crate::app::change::{Begun, Change, Repeatable};
use crate::domain::Priority;
use crate::domain::project::{Key, KeyChoice, NewProject, Project};
use crate::domain::text::{Description, Name};
use crate::error::Error;
use crate::store;

const METHOD: &str = "/taskman.task.v1.TaskService/CreateProject";
/// Others may take the key that seemed free; each try that fails for that means that one of them succeeded.
const TRIES: usize = 32;

/// The project to be.
#[derive(Debug)]
pub(crate) struct CreateProject {
    /// Where its key comes from.
    pub(crate) key: KeyChoice,
    /// Its name.
    pub(crate) name: Name,
    /// What there is to say about it.
    pub(crate) description: Description,
    /// How much it matters.
    pub(crate) priority: Priority,
    /// Makes the request repeatable.
    pub(crate) request: Option<Repeatable>,
}

/// Creates a project that the caller owns.
pub(crate) async fn create(app: &App, caller: &Caller, cmd: CreateProject) -> Result<Project, Error> {
    let mut change = match Change::begin(app, caller, METHOD, cmd.request).await? {
        Begun::Repeated(project) => return Ok(project),
        Begun::Fresh(change) => change,
    };
    let now = app.clock.now();
    let draft = NewProject {
        id: ProjectId::new(),
        company: caller.company,
        key: cmd.key,
        name: cmd.name,
        description: cmd.description,
        priority: cmd.priority,
        owner: caller.user,
        created_at: now,
    };
    let key = insert(&mut change, &draft).await?;
    let (project, created) = draft.created(key);
    outbox::record(&mut change.tx, &taskman_rpc::origin(caller), &created, now).await?;
    change.commit(app, &project).await?;
    app.keep_project(&project).await;
    Ok(project)
}

/// Inserts the project; a key that was made gives way to the next one, a key that was chosen does not.
async fn insert(change: &mut Change, draft: &NewProject) -> Result<Key, Error> {
    let candidates = draft.candidates();
    let tries = if matches!(draft.key, KeyChoice::Given(_)) { 1 } else { TRIES };
    for _ in 0..tries {
        if let Some(key) = store::project::insert(&mut change.tx, draft, &candidates).await? {
            return Ok(key);
        }
    }
    Err(Error::ProjectCodeTaken)
}
