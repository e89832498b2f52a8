//! Results become replies.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use taskman_paging::Page;
use taskman_proto::authorization::{BatchGetResourceAttributesResponse, ResourceAttributes};
use taskman_proto::task as proto;

use crate::app::attributes::Attributes;
use crate::domain::project::{self, Project};
use crate::domain::task::{self, Task};
use crate::domain::{Hours, Priority};

macro_rules! replies {
    ($domain:ty as $field:ident: $($reply:ident),*) => {
        $(impl From<$domain> for proto::$reply {
            fn from(it: $domain) -> Self {
                Self { $field: Some(it.into()) }
            }
        })*
    };
}

replies!(Project as project: CreateProjectResponse, GetProjectResponse);
replies!(Task as task: CreateTaskResponse, GetTaskResponse, AssignTaskResponse, StartTaskResponse, CompleteTaskResponse);

/// Makes the reply of `ListProjects`.
pub(in crate::grpc) fn projects(page: Page<Project>) -> proto::ListProjectsResponse {
    let projects = page.items.into_iter().map(Into::into).collect();
    proto::ListProjectsResponse { projects, next_page_token: page.next_page_token }
}

/// Makes the reply of `ListTasks`.
pub(in crate::grpc) fn tasks(page: Page<Task>) -> proto::ListTasksResponse {
    let tasks = page.items.into_iter().map(Into::into).collect();
    proto::ListTasksResponse { tasks, next_page_token: page.next_page_token }
}

impl From<Project> for proto::Project {
    fn from(project: Project) -> Self {
        let status: proto::ProjectStatus = project.status.into();
        let priority: proto::Priority = project.priority.into();
        Self {
            id: project.id.to_string(),
            key: project.key.as_str().to_owned(),
            name: project.name.into(),
            description: project.description.into(),
            status: status.into(),
            priority: priority.into(),
            owner_id: project.owner.to_string(),
            created_at: Some(timestamp(project.created_at)),
            updated_at: Some(timestamp(project.updated_at)),
            version: project.version,
        }
    }
}

impl From<Task> for proto::Task {
    fn from(task: Task) -> Self {
        let status: proto::TaskStatus = task.status.into();
        let priority: proto::Priority = task.priority.into();
        Self {
            id: task.id.to_string(),
            project_id: task.project.to_string(),
            number: task.number,
            key: task.key,
            title: task.title.into(),
            description: task.description.into(),
            status: status.into(),
            priority: priority.into(),
            assignee_id: task.assignee.map(|user| user.to_string()).unwrap_or_default(),
            creator_id: task.creator.to_string(),
            estimated_hours: task.estimated_hours.map(Hours::as_f64),
            actual_hours: task.actual_hours.map(Hours::as_f64),
            due_date: task.due_date.map(timestamp),
            started_at: task.started_at.map(timestamp),
            completed_at: task.completed_at.map(timestamp),
            completed_by: task.completed_by.map(|user| user.to_string()).unwrap_or_default(),
            created_at: Some(timestamp(task.created_at)),
            updated_at: Some(timestamp(task.updated_at)),
            version: task.version,
        }
    }
}

impl From<project::Status> for proto::ProjectStatus {
    fn from(status: project::Status) -> Self {
        match status {
            project::Status::Planning => Self::Planning,
            project::Status::Active => Self::Active,
            project::Status::OnHold => Self::OnHold,
            project::Status::Completed => Self::Completed,
            project::Status::Cancelled => Self::Cancelled,
        }
    }
}

impl From<task::Status> for proto::TaskStatus {
    fn from(status: task::Status) -> Self {
        match status {
            task::Status::Todo => Self::Todo,
            task::Status::InProgress => Self::InProgress,
            task::Status::Review => Self::Review,
            task::Status::Completed => Self::Completed,
            task::Status::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Priority> for proto::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Medium => Self::Medium,
            Priority::High => Self::High,
            Priority::Critical => Self::Critical,
        }
    }
}

/// Makes the reply of `BatchGetResourceAttributes`.
pub(in crate::grpc) fn resource_attributes(found: Vec<(String, Attributes)>) -> BatchGetResourceAttributesResponse {
    let resource = |(id, attributes): (String, Attributes)| {
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        ResourceAttributes { id, attributes }
    };
    BatchGetResourceAttributesResponse { resources: found.into_iter().map(resource).collect() }
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    // A leap second has more nanoseconds than fit a second; microseconds of ours never do.
    Timestamp { seconds: time.timestamp(), nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default() }
}
