//! A task: its states, who may move it from one to the next, and what that tells the world.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskman_events::task as events;
use taskman_ids::{CompanyId, ProjectId, TaskId, UserId};

use crate::domain::text::{Description, Title};
use crate::domain::{Hours, Priority, project};
use crate::error::Error;

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Not begun; what a task is at first.
    Todo,
    /// Being worked on.
    InProgress,
    /// Waiting for somebody to approve it.
    Review,
    /// Done.
    Completed,
    /// Given up.
    Cancelled,
}

impl Status {
    /// Every state.
    pub(crate) const ALL: [Self; 5] = [Self::Todo, Self::InProgress, Self::Review, Self::Completed, Self::Cancelled];
    /// The states in which there is something left to do.
    pub(crate) const ACTIVE: [Self; 3] = [Self::Todo, Self::InProgress, Self::Review];

    /// Returns the word that stands in the database, in filters and in the attributes of the task.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::InProgress => "in_progress",
            Self::Review => "review",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads such a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl From<Status> for events::TaskStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Todo => Self::Todo,
            Status::InProgress => Self::InProgress,
            Status::Review => Self::Review,
            Status::Completed => Self::Completed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// Somebody who shall work on a task, as the user service knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Who.
    pub(crate) user: UserId,
    /// Whether such a user exists in the company and is active.
    pub(crate) is_active: bool,
}

impl Candidate {
    /// Returns the user if tasks can be given to them (A3).
    pub(crate) const fn assignee(self) -> Result<UserId, Error> {
        if self.is_active { Ok(self.user) } else { Err(Error::AssigneeInvalid) }
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Its id.
    pub(crate) id: TaskId,
    /// The company.
    pub(crate) company: CompanyId,
    /// The project; never changes.
    pub(crate) project: ProjectId,
    /// From 1 in its project; never changes.
    pub(crate) number: i32,
    /// The project's key and the number: `CORE-12`.
    pub(crate) key: String,
    /// What is to be done.
    pub(crate) title: Title,
    /// What there is to say about it.
    pub(crate) description: Description,
    /// Its state.
    pub(crate) status: Status,
    /// How much it matters.
    pub(crate) priority: Priority,
    /// Who works on it.
    pub(crate) assignee: Option<UserId>,
    /// Who created it; never changes.
    pub(crate) creator: UserId,
    /// How long it should take.
    pub(crate) estimated_hours: Option<Hours>,
    /// How long it took.
    pub(crate) actual_hours: Option<Hours>,
    /// When it should be done.
    pub(crate) due_date: Option<DateTime<Utc>>,
    /// When work began first.
    pub(crate) started_at: Option<DateTime<Utc>>,
    /// When it was completed.
    pub(crate) completed_at: Option<DateTime<Utc>>,
    /// Who completed it.
    pub(crate) completed_by: Option<UserId>,
    /// When it was created.
    pub(crate) created_at: DateTime<Utc>,
    /// When anything here changed last.
    pub(crate) updated_at: DateTime<Utc>,
    /// From 1, one more with each change.
    pub(crate) version: i32,
}

/// A task that is about to be created; the number comes from the counter of its project.
#[derive(Debug, Clone)]
pub(crate) struct NewTask {
    /// Its id.
    pub(crate) id: TaskId,
    /// The company.
    pub(crate) company: CompanyId,
    /// The project.
    pub(crate) project: ProjectId,
    /// What is to be done.
    pub(crate) title: Title,
    /// What there is to say about it.
    pub(crate) description: Description,
    /// How much it matters.
    pub(crate) priority: Priority,
    /// Who shall work on it.
    pub(crate) assignee: Option<UserId>,
    /// Who creates it.
    pub(crate) creator: UserId,
    /// How long it should take.
    pub(crate) estimated_hours: Option<Hours>,
    /// When it should be done.
    pub(crate) due_date: Option<DateTime<Utc>>,
    /// When it is created.
    pub(crate) created_at: DateTime<Utc>,
}

/// What creating a task tells the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Created {
    /// It exists.
    pub(crate) created: events::TaskCreated,
    /// It was given to somebody at once.
    pub(crate) assigned: Option<events::TaskAssigned>,
}

impl NewTask {
    /// The state that it starts in.
    pub(crate) const STATUS: Status = Status::Todo;

    /// Becomes a task with the number and the key that the counter gave it.
    pub(crate) fn created(self, number: i32, key: String) -> (Task, Created) {
        let task = Task {
            id: self.id,
            company: self.company,
            project: self.project,
            number,
            key,
            title: self.title,
            description: self.description,
            status: Self::STATUS,
            priority: self.priority,
            assignee: self.assignee,
            creator: self.creator,
            estimated_hours: self.estimated_hours,
            actual_hours: None,
            due_date: self.due_date,
            started_at: None,
            completed_at: None,
            completed_by: None,
            created_at: self.created_at,
            updated_at: self.created_at,
            version: 1,
        };
        let created = events::TaskCreated { task: task.summary() };
        let assigned = task.assignee.map(|assignee| task.assigned(assignee, None, task.creator));
        (task, Created { created, assigned })
    }
}

impl Task {
    /// Refuses a caller who knows another version; `None` means that the caller did not say (V1).
    pub(crate) fn expect_version(&self, known: Option<i32>) -> Result<(), Error> {
        match known {
            Some(version) if version != self.version => Err(Error::Stale { current: self.version }),
            _ => Ok(()),
        }
    }

    /// Gives the task to somebody; `None` when they have it already.
    ///
    /// `candidate` is what the user service said, or why it said nothing: it is looked at after the state (A6).
    pub(crate) fn assign(
        &mut self,
        project: project::Status,
        candidate: Result<Candidate, Error>,
        by: UserId,
        now: DateTime<Utc>,
    ) -> Result<Option<events::TaskAssigned>, Error> {
        project.takes_changes()?;
        if self.status != Status::Todo {
            return Err(Error::TaskNotAssignable { status: self.status });
        }
        let assignee = candidate?.assignee()?;
        if self.assignee == Some(assignee) {
            return Ok(None);
        }
        let previous = self.assignee.replace(assignee);
        self.changed(now);
        Ok(Some(self.assigned(assignee, previous, by)))
    }

    /// Begins work. Who may is a matter of the permission `tasks:start`; nobody need be assigned.
    pub(crate) fn start(
        &mut self,
        project: project::Status,
        by: UserId,
        now: DateTime<Utc>,
    ) -> Result<events::TaskStarted, Error> {
        project.lets_work_begin()?;
        let (from, to) = (self.status, Status::InProgress);
        if from != Status::Todo {
            return Err(Error::TaskInvalidTransition { from, to });
        }
        self.status = to;
        let mut changed_fields = vec!["status".to_owned()];
        if self.started_at.is_none() {
            self.started_at = Some(now);
            changed_fields.push("started_at".to_owned());
        }
        self.changed(now);
        Ok(events::TaskStarted { task: self.summary(), from: from.into(), to: to.into(), by, changed_fields })
    }

    /// Completes the task, which only its assignee can; the state is looked at before the person (S1).
    pub(crate) fn complete(
        &mut self,
        project: project::Status,
        actual_hours: Option<Hours>,
        by: UserId,
        now: DateTime<Utc>,
    ) -> Result<events::TaskCompleted, Error> {
        project.takes_changes()?;
        if self.status != Status::InProgress {
            return Err(Error::TaskNotInProgress { status: self.status });
        }
        if self.assignee != Some(by) {
            return Err(Error::UnauthorizedCompletion);
        }
        let mut changed_fields = vec!["status".to_owned(), "completed_at".to_owned(), "completed_by".to_owned()];
        self.status = Status::Completed;
        self.completed_at = Some(now);
        self.completed_by = Some(by);
        if actual_hours.is_some() && self.actual_hours != actual_hours {
            self.actual_hours = actual_hours;
            changed_fields.push("actual_hours".to_owned());
        }
        self.changed(now);
        Ok(events::TaskCompleted {
            task: self.summary(),
            assignee_id: self.assignee,
            completed_by: by,
            actual_hours: self.actual_hours.map(Hours::as_decimal),
            completed_at: now,
            changed_fields,
        })
    }

    fn changed(&mut self, now: DateTime<Utc>) {
        self.updated_at = now;
        self.version += 1;
    }

    fn assigned(&self, assignee: UserId, previous: Option<UserId>, by: UserId) -> events::TaskAssigned {
        events::TaskAssigned {
            task: self.summary(),
            assignee_id: assignee,
            previous,
            by,
            changed_fields: vec!["assignee_id".to_owned()],
        }
    }

    /// Returns the task as events tell of it.
    fn summary(&self) -> events::Task {
        events::Task {
            id: self.id,
            project_id: self.project,
            key: self.key.clone(),
            title: self.title.as_str().to_owned(),
            status: self.status.into(),
            priority: self.priority.into(),
            creator_id: self.creator,
            assignee_id: self.assignee,
            due_date: self.due_date,
            version: self.version,
        }
    }
}

#[cfg(test)]
mod tests;
