//! Events of `task.events`: projects and tasks.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use taskman_ids::{ProjectId, TaskId, UserId};

use crate::Aggregate;
use crate::declare::{event, record, words};

words! {
    /// The state of a project.
    pub enum ProjectStatus {
        /// Not begun.
        Planning,
        /// Running.
        Active,
        /// Paused.
        OnHold,
        /// Done.
        Completed,
        /// Given up.
        Cancelled,
    }
}

words! {
    /// The state of a task.
    pub enum TaskStatus {
        /// Not begun.
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
}

words! {
    /// How much something matters.
    pub enum Priority {
        /// Low.
        Low,
        /// Medium.
        Medium,
        /// High.
        High,
        /// Critical.
        Critical,
    }
}

record! {
    /// A project in short.
    pub struct Project {
        /// Its id.
        pub id: ProjectId,
        /// Its short name: `CORE`.
        pub key: String,
        /// Its name.
        pub name: String,
        /// Its state.
        pub status: ProjectStatus,
        /// How much it matters.
        pub priority: Priority,
        /// Who answers for it.
        pub owner_id: UserId,
        /// From 1, one more with each change.
        pub version: i32,
    }
}

record! {
    /// A task in short: what a reader needs to name it, without its description.
    pub struct Task {
        /// Its id.
        pub id: TaskId,
        /// Its project.
        pub project_id: ProjectId,
        /// Its name for people: `CORE-12`.
        pub key: String,
        /// Its title.
        pub title: String,
        /// Its state after the event.
        pub status: TaskStatus,
        /// How much it matters.
        pub priority: Priority,
        /// Who created it.
        pub creator_id: UserId,
        /// Who works on it after the event.
        pub assignee_id: Option<UserId>,
        /// When it should be done.
        pub due_date: Option<DateTime<Utc>>,
        /// From 1, one more with each change.
        pub version: i32,
    }
}

event! {
    "project.created", Task, about |event| Aggregate::versioned("projects", event.project.id, event.project.version);
    /// A project was created.
    pub struct ProjectCreated {
        /// The project.
        pub project: Project,
        /// Who created it.
        pub by: UserId,
    }
}

event! {
    "task.created", Task, about |event| Aggregate::versioned("tasks", event.task.id, event.task.version);
    /// A task was created.
    pub struct TaskCreated {
        /// The task.
        pub task: Task,
    }
}

event! {
    "task.assigned", Task, about |event| Aggregate::versioned("tasks", event.task.id, event.task.version);
    /// A task was given to somebody.
    pub struct TaskAssigned {
        /// The task.
        pub task: Task,
        /// Who works on it now.
        pub assignee_id: UserId,
        /// Who did before.
        pub previous: Option<UserId>,
        /// Who gave it.
        pub by: UserId,
        /// What is different.
        pub changed_fields: Vec<String>,
    }
}

event! {
    "task.started", Task, about |event| Aggregate::versioned("tasks", event.task.id, event.task.version);
    /// Somebody began to work on a task.
    pub struct TaskStarted {
        /// The task.
        pub task: Task,
        /// Its state before.
        pub from: TaskStatus,
        /// Its state now.
        pub to: TaskStatus,
        /// Who began.
        pub by: UserId,
        /// What is different.
        pub changed_fields: Vec<String>,
    }
}

event! {
    "task.completed", Task, about |event| Aggregate::versioned("tasks", event.task.id, event.task.version);
    /// A task was completed.
    pub struct TaskCompleted {
        /// The task.
        pub task: Task,
        /// Who worked on it.
        pub assignee_id: Option<UserId>,
        /// Who completed it.
        pub completed_by: UserId,
        /// How long it took, in hours with two decimals.
        pub actual_hours: Option<Decimal>,
        /// When.
        pub completed_at: DateTime<Utc>,
        /// What is different.
        pub changed_fields: Vec<String>,
    }
}
