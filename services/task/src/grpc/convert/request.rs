//! Requests become commands, or the list of everything that is wrong with them.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use prost::Message;
use prost_types::Timestamp;
use taskman_errors::{Violation, Violations};
use taskman_ids::{CompanyId, InvalidId, ProjectId, TaskId, UserId, parse_uuid};
use taskman_paging::PageSize;
use taskman_postgres::idempotency;
use taskman_proto::authorization::BatchGetResourceAttributesRequest;
use taskman_proto::task as proto;

use crate::app::attributes::BatchGetAttributes;
use crate::app::change::Repeatable;
use crate::app::project::create::CreateProject;
use crate::app::project::list::ListProjects;
use crate::app::task::assign::AssignTask;
use crate::app::task::complete::CompleteTask;
use crate::app::task::create::CreateTask;
use crate::app::task::list::{Assignee, ListTasks};
use crate::app::task::start::StartTask;
use crate::domain::project::{Key, KeyChoice};
use crate::domain::text::{Description, Name, Title};
use crate::domain::{Hours, Priority, project, task};
use crate::store::task::StatusFilter;

/// The most records whose attributes are asked for at once.
const MAX_RESOURCES: usize = 1_000;
/// What stands for the caller where a user's id is expected.
const ME: &str = "me";
/// What stands for every state in which there is something left to do.
const ACTIVE: &str = "active";

type Parsed<T> = Result<T, Vec<Violation>>;

/// Reads the id of the project that is asked for.
pub(in crate::grpc) fn project_id(message: &proto::GetProjectRequest) -> Parsed<ProjectId> {
    only(|found| required(found, "id", &message.id))
}

/// Reads the id of the task that is asked for.
pub(in crate::grpc) fn task_id(message: &proto::GetTaskRequest) -> Parsed<TaskId> {
    only(|found| required(found, "id", &message.id))
}

impl TryFrom<proto::CreateProjectRequest> for CreateProject {
    type Error = Vec<Violation>;

    fn try_from(mut message: proto::CreateProjectRequest) -> Parsed<Self> {
        let request_id = std::mem::take(&mut message.request_id);
        let mut found = Violations::new();
        let name = found.check("name", Name::parse(&message.name));
        let key = match message.key.as_str() {
            "" => Some(KeyChoice::Made),
            key => found.check("key", Key::parse(key)).map(KeyChoice::Given),
        };
        let description = found.check("description", Description::parse(&message.description));
        let priority = priority(&mut found, message.priority);
        let request = repeatable(&mut found, &request_id, &message);
        let command =
            move || Some(Self { key: key?, name: name?, description: description?, priority: priority?, request });
        found.finish_with(command())
    }
}

impl TryFrom<proto::ListProjectsRequest> for ListProjects {
    type Error = Vec<Violation>;

    fn try_from(message: proto::ListProjectsRequest) -> Parsed<Self> {
        let mut found = Violations::new();
        let size = found.check("page_size", PageSize::parse(message.page_size));
        let status = match proto::ProjectStatus::try_from(message.status) {
            Ok(proto::ProjectStatus::Unspecified) => None,
            Ok(proto::ProjectStatus::Planning) => Some(project::Status::Planning),
            Ok(proto::ProjectStatus::Active) => Some(project::Status::Active),
            Ok(proto::ProjectStatus::OnHold) => Some(project::Status::OnHold),
            Ok(proto::ProjectStatus::Completed) => Some(project::Status::Completed),
            Ok(proto::ProjectStatus::Cancelled) => Some(project::Status::Cancelled),
            Err(_) => {
                found.add("status", "is no state of a project");
                None
            }
        };
        found.finish_with(size.map(|size| Self { status, size, token: message.page_token }))
    }
}

impl TryFrom<proto::CreateTaskRequest> for CreateTask {
    type Error = Vec<Violation>;

    fn try_from(mut message: proto::CreateTaskRequest) -> Parsed<Self> {
        let request_id = std::mem::take(&mut message.request_id);
        let mut found = Violations::new();
        let project = required(&mut found, "project_id", &message.project_id);
        let title = found.check("title", Title::parse(&message.title));
        let description = found.check("description", Description::parse(&message.description));
        let priority = priority(&mut found, message.priority);
        let due_date = message.due_date.and_then(|date| found.check("due_date", time(&date)));
        let assignee = optional(&mut found, "assignee_id", &message.assignee_id);
        let estimated_hours = hours(&mut found, "estimated_hours", message.estimated_hours);
        let request = repeatable(&mut found, &request_id, &message);
        let command = move || {
            Some(Self {
                project: project?,
                title: title?,
                description: description?,
                priority: priority?,
                due_date,
                assignee,
                estimated_hours,
                request,
            })
        };
        found.finish_with(command())
    }
}

impl TryFrom<proto::ListTasksRequest> for ListTasks {
    type Error = Vec<Violation>;

    fn try_from(message: proto::ListTasksRequest) -> Parsed<Self> {
        let mut found = Violations::new();
        let size = found.check("page_size", PageSize::parse(message.page_size));
        let project = optional(&mut found, "project_id", &message.project_id);
        let assignee = match message.assignee.as_str() {
            ME => Some(Assignee::Me),
            "" => None,
            id => found
                .check("assignee", UserId::parse(id).map_err(|_| "must be a user's id or `me`"))
                .map(Assignee::User),
        };
        let status = match message.status.as_str() {
            ACTIVE => Some(StatusFilter::Active),
            "" => None,
            word => found
                .check("status", task::Status::parse(word).ok_or("must be the name of a task's state or `active`"))
                .map(StatusFilter::Is),
        };
        found.finish_with(size.map(|size| Self { project, assignee, status, size, token: message.page_token }))
    }
}

impl TryFrom<proto::AssignTaskRequest> for AssignTask {
    type Error = Vec<Violation>;

    fn try_from(mut message: proto::AssignTaskRequest) -> Parsed<Self> {
        let request_id = std::mem::take(&mut message.request_id);
        let mut found = Violations::new();
        let task = required(&mut found, "id", &message.id);
        let assignee = required(&mut found, "assignee_id", &message.assignee_id);
        let version = version(&mut found, message.version);
        let request = repeatable(&mut found, &request_id, &message);
        let command = move || Some(Self { task: task?, assignee: assignee?, version, request });
        found.finish_with(command())
    }
}

impl TryFrom<proto::StartTaskRequest> for StartTask {
    type Error = Vec<Violation>;

    fn try_from(mut message: proto::StartTaskRequest) -> Parsed<Self> {
        let request_id = std::mem::take(&mut message.request_id);
        let mut found = Violations::new();
        let task = required(&mut found, "id", &message.id);
        let version = version(&mut found, message.version);
        let request = repeatable(&mut found, &request_id, &message);
        found.finish_with(task.map(|task| Self { task, version, request }))
    }
}

impl TryFrom<proto::CompleteTaskRequest> for CompleteTask {
    type Error = Vec<Violation>;

    fn try_from(mut message: proto::CompleteTaskRequest) -> Parsed<Self> {
        let request_id = std::mem::take(&mut message.request_id);
        let mut found = Violations::new();
        let task = required(&mut found, "id", &message.id);
        let actual_hours = hours(&mut found, "actual_hours", message.actual_hours);
        let version = version(&mut found, message.version);
        let request = repeatable(&mut found, &request_id, &message);
        found.finish_with(task.map(|task| Self { task, actual_hours, version, request }))
    }
}

impl TryFrom<BatchGetResourceAttributesRequest> for BatchGetAttributes {
    type Error = Vec<Violation>;

    fn try_from(message: BatchGetResourceAttributesRequest) -> Parsed<Self> {
        let mut found = Violations::new();
        let company: Option<CompanyId> = required(&mut found, "company_id", &message.company_id);
        if message.ids.is_empty() || message.ids.len() > MAX_RESOURCES {
            found.add("ids", "must be 1 to 1000 ids");
        }
        found.finish_with(company.map(|company| Self { company, kind: message.r#type, ids: message.ids }))
    }
}

/// Reads a request that holds nothing but one value.
fn only<T>(read: impl FnOnce(&mut Violations) -> Option<T>) -> Parsed<T> {
    let mut found = Violations::new();
    let value = read(&mut found);
    found.finish_with(value)
}

fn required<T: FromStr<Err = InvalidId>>(found: &mut Violations, field: &str, text: &str) -> Option<T> {
    if text.is_empty() {
        found.add(field, "is missing");
        return None;
    }
    found.check(field, text.parse())
}

fn optional<T: FromStr<Err = InvalidId>>(found: &mut Violations, field: &str, text: &str) -> Option<T> {
    if text.is_empty() { None } else { found.check(field, text.parse()) }
}

fn priority(found: &mut Violations, number: i32) -> Option<Priority> {
    match proto::Priority::try_from(number) {
        Ok(proto::Priority::Unspecified) => Some(Priority::default()),
        Ok(proto::Priority::Low) => Some(Priority::Low),
        Ok(proto::Priority::Medium) => Some(Priority::Medium),
        Ok(proto::Priority::High) => Some(Priority::High),
        Ok(proto::Priority::Critical) => Some(Priority::Critical),
        Err(_) => {
            found.add("priority", "is no priority");
            None
        }
    }
}

fn hours(found: &mut Violations, field: &str, hours: Option<f64>) -> Option<Hours> {
    hours.and_then(|hours| found.check(field, Hours::parse(hours)))
}

/// Reads the version that the client knows; 0 means that it does not say.
fn version(found: &mut Violations, version: i32) -> Option<i32> {
    if version < 0 {
        found.add("version", "must not be negative");
    }
    (version > 0).then_some(version)
}

/// Reads an instant of the years 1 to 9999, cut to microseconds as it is stored.
fn time(timestamp: &Timestamp) -> Result<DateTime<Utc>, &'static str> {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    let nanos = u32::try_from(timestamp.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    nanos
        .filter(|_| (FIRST..=LAST).contains(&timestamp.seconds))
        .and_then(|nanos| DateTime::from_timestamp(timestamp.seconds, nanos - nanos % 1_000))
        .ok_or("must be a time of the years 1 to 9999")
}

/// Reads the `request_id`; `rest` is the request without it.
fn repeatable(found: &mut Violations, request_id: &str, rest: &impl Message) -> Option<Repeatable> {
    if request_id.is_empty() {
        return None;
    }
    let request_id = found.check("request_id", parse_uuid(request_id))?;
    Some(Repeatable { request_id, hash: idempotency::hash(&rest.encode_to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(violations: Vec<Violation>) -> Vec<String> {
        violations.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn every_violation_of_a_new_task_is_found_at_once() {
        let message = proto::CreateTaskRequest {
            project_id: "CORE".to_owned(),
            title: " ".to_owned(),
            description: "\0".to_owned(),
            priority: 9,
            due_date: Some(Timestamp { seconds: i64::MAX, nanos: 0 }),
            assignee_id: "me".to_owned(),
            estimated_hours: Some(f64::NAN),
            request_id: "again".to_owned(),
        };
        assert_eq!(
            fields(CreateTask::try_from(message).unwrap_err()),
            [
                "project_id",
                "title",
                "description",
                "priority",
                "due_date",
                "assignee_id",
                "estimated_hours",
                "request_id"
            ]
        );
    }

    #[test]
    fn times_are_cut_to_microseconds_and_bounded() {
        let given = |seconds, nanos| time(&Timestamp { seconds, nanos });
        assert_eq!(given(1, 1_999).unwrap().timestamp_subsec_nanos(), 1_000);
        assert_eq!(given(-62_135_596_800, 0).unwrap().to_rfc3339(), "0001-01-01T00:00:00+00:00");
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (-62_135_596_801, 0), (253_402_300_800, 0), (i64::MIN, 0)]
        {
            assert!(given(seconds, nanos).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn the_hash_of_a_request_leaves_out_its_own_name() {
        let message = |title: &str| proto::CreateTaskRequest {
            project_id: ProjectId::new().to_string(),
            title: title.to_owned(),
            request_id: taskman_ids::new_uuid().to_string(),
            ..proto::CreateTaskRequest::default()
        };
        let (first, mut second) = (message("a"), message("a"));
        second.project_id.clone_from(&first.project_id);
        let other = proto::CreateTaskRequest { title: "b".to_owned(), ..first.clone() };
        let hash = |message| CreateTask::try_from(message).unwrap().request.unwrap().hash;
        let (first, second, other) = (hash(first), hash(second), hash(other));
        assert_eq!(first, second);
        assert_ne!(first, other);
    }
}
