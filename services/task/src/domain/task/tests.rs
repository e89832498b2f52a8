//! The rules of tasks, cited by their ids.

use taskman_errors::Failure as _;

use super::*;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn later() -> DateTime<Utc> {
    NOW + chrono::TimeDelta::hours(1)
}

fn draft(assignee: Option<UserId>) -> NewTask {
    NewTask {
        id: TaskId::new(),
        company: CompanyId::new(),
        project: ProjectId::new(),
        title: Title::parse("Write the report").unwrap(),
        description: Description::parse("").unwrap(),
        priority: Priority::High,
        assignee,
        creator: UserId::new(),
        estimated_hours: None,
        due_date: None,
        created_at: NOW,
    }
}

fn task(status: Status, assignee: UserId) -> Task {
    let (mut task, _) = draft(Some(assignee)).created(12, "CORE-12".to_owned());
    task.status = status;
    task
}

fn active(user: UserId) -> Candidate {
    Candidate { user, is_active: true }
}

/// Stands for whatever kept the user service from answering.
fn away() -> Result<Candidate, Error> {
    Err(Error::Database(taskman_postgres::Error::Timeout))
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Assign,
    Start,
    Complete,
}

/// Applies the operation as the assignee would, in a project that takes it.
fn apply(task: &mut Task, operation: Operation) -> Result<(), Error> {
    let (me, project) = (task.assignee.unwrap(), project::Status::Active);
    match operation {
        Operation::Assign => task.assign(project, Ok(active(UserId::new())), me, later()).map(|_| ()),
        Operation::Start => task.start(project, me, later()).map(|_| ()),
        Operation::Complete => task.complete(project, None, me, later()).map(|_| ()),
    }
}

#[test]
fn s1_the_table_of_transitions_is_exhaustive() {
    use Operation::{Assign, Complete, Start};
    use Status::{Cancelled, Completed, InProgress, Review, Todo};
    let not_assignable = Err("TASK_NOT_ASSIGNABLE");
    let not_running = Err("TASK_NOT_IN_PROGRESS");
    let invalid = Err("TASK_INVALID_TRANSITION");
    let table = [
        (Todo, [(Assign, Ok(Todo)), (Start, Ok(InProgress)), (Complete, not_running)]),
        (InProgress, [(Assign, not_assignable), (Start, invalid), (Complete, Ok(Completed))]),
        (Review, [(Assign, not_assignable), (Start, invalid), (Complete, not_running)]),
        (Completed, [(Assign, not_assignable), (Start, invalid), (Complete, not_running)]),
        (Cancelled, [(Assign, not_assignable), (Start, invalid), (Complete, not_running)]),
    ];
    assert_eq!(table.map(|(from, _)| from), Status::ALL);
    for (from, row) in table {
        for (operation, expected) in row {
            let mut task = task(from, UserId::new());
            let before = task.clone();
            let outcome = apply(&mut task, operation).map(|()| task.status).map_err(|error| error.reason());
            assert_eq!(outcome, expected, "{from:?} {operation:?}");
            match expected {
                Ok(_) => assert_eq!((task.version, task.updated_at), (2, later()), "{from:?} {operation:?}"),
                Err(_) => assert_eq!(task, before, "{from:?} {operation:?}"),
            }
        }
    }
}

#[test]
fn s1_a_refusal_names_both_states() {
    let error = task(Status::Review, UserId::new()).start(project::Status::Active, UserId::new(), NOW).unwrap_err();
    assert_eq!(error.metadata(), [("from", "review".to_owned()), ("to", "in_progress".to_owned())]);
}

#[test]
fn s1_the_state_is_looked_at_before_the_person() {
    let (assignee, stranger) = (UserId::new(), UserId::new());
    let refusal =
        |status| task(status, assignee).complete(project::Status::Active, None, stranger, NOW).unwrap_err().reason();
    assert_eq!(refusal(Status::Todo), "TASK_NOT_IN_PROGRESS");
    assert_eq!(refusal(Status::InProgress), "UNAUTHORIZED_COMPLETION");
}

#[test]
fn only_the_assignee_completes_and_a_task_without_one_is_completed_by_nobody() {
    let mut task = task(Status::InProgress, UserId::new());
    task.assignee = None;
    let error = task.complete(project::Status::Active, None, task.creator, NOW).unwrap_err();
    assert_eq!(error.reason(), "UNAUTHORIZED_COMPLETION");
}

#[test]
fn s3_given_hours_are_stored_and_omitted_ones_are_kept() {
    let me = UserId::new();
    let hours = Hours::parse(12.5).ok();
    let mut with = task(Status::InProgress, me);
    let event = with.complete(project::Status::Active, hours, me, later()).unwrap();
    assert_eq!((with.actual_hours, event.actual_hours), (hours, hours.map(Hours::as_decimal)));
    assert_eq!(event.changed_fields, ["status", "completed_at", "completed_by", "actual_hours"]);

    let mut without = task(Status::InProgress, me);
    without.actual_hours = hours;
    let event = without.complete(project::Status::Active, None, me, later()).unwrap();
    assert_eq!(without.actual_hours, hours);
    assert_eq!(event.changed_fields, ["status", "completed_at", "completed_by"]);
    assert_eq!((without.completed_at, without.completed_by), (Some(later()), Some(me)));
}

#[test]
fn s5_a_closed_project_refuses_every_operation_and_a_paused_one_only_the_start() {
    use project::Status::{Active, Cancelled, Completed, OnHold, Planning};
    let me = UserId::new();
    for (project, open) in [(Planning, true), (Active, true), (OnHold, true), (Completed, false), (Cancelled, false)] {
        let assigned = task(Status::Todo, me).assign(project, Ok(active(UserId::new())), me, NOW).map(|_| ());
        let started = task(Status::Todo, me).start(project, me, NOW).map(|_| ());
        let completed = task(Status::InProgress, me).complete(project, None, me, NOW).map(|_| ());
        let reasons = [assigned, started, completed].map(|outcome| outcome.map_err(|error| error.reason()));
        let closed = Err("PROJECT_CLOSED");
        let expected = match (project, open) {
            (OnHold, _) => [Ok(()), closed, Ok(())],
            (_, true) => [Ok(()), Ok(()), Ok(())],
            (_, false) => [closed, closed, closed],
        };
        assert_eq!(reasons, expected, "{project:?}");
    }
}

#[test]
fn a6_the_state_is_looked_at_before_the_assignee() {
    let project = project::Status::Active;
    let unknown = Candidate { user: UserId::new(), is_active: false };
    let mut running = task(Status::InProgress, UserId::new());
    for candidate in [Ok(unknown), away()] {
        let error = running.assign(project, candidate, UserId::new(), NOW).unwrap_err();
        assert_eq!(error.reason(), "TASK_NOT_ASSIGNABLE");
    }
    let mut todo = task(Status::Todo, UserId::new());
    assert_eq!(todo.assign(project, Ok(unknown), UserId::new(), NOW).unwrap_err().reason(), "ASSIGNEE_INVALID");
    assert_eq!(todo.assign(project, away(), UserId::new(), NOW).unwrap_err().reason(), "DEADLINE_EXCEEDED");
}

#[test]
fn assigning_again_names_the_previous_assignee_and_the_same_one_changes_nothing() {
    let (first, second, lead) = (UserId::new(), UserId::new(), UserId::new());
    let mut task = task(Status::Todo, first);
    let event = task.assign(project::Status::Active, Ok(active(second)), lead, later()).unwrap().unwrap();
    assert_eq!((event.previous, event.assignee_id, event.by), (Some(first), second, lead));
    assert_eq!((event.task.version, event.task.assignee_id), (2, Some(second)));

    let before = task.clone();
    assert_eq!(task.assign(project::Status::Active, Ok(active(second)), lead, later()).unwrap(), None);
    assert_eq!(task, before);
}

#[test]
fn work_begins_only_once() {
    let me = UserId::new();
    let mut task = task(Status::Todo, me);
    let event = task.start(project::Status::Active, me, NOW).unwrap();
    assert_eq!(event.changed_fields, ["status", "started_at"]);
    task.status = Status::Todo; // returned to the list
    let event = task.start(project::Status::Active, me, later()).unwrap();
    assert_eq!((task.started_at, event.changed_fields), (Some(NOW), vec!["status".to_owned()]));
}

#[test]
fn a_new_task_is_announced_and_given_away_at_version_1() {
    let assignee = UserId::new();
    let (task, told) = draft(Some(assignee)).created(1, "CORE-1".to_owned());
    let assigned = told.assigned.unwrap();
    assert_eq!((told.created.task.version, assigned.task.version), (1, 1));
    assert_eq!((assigned.assignee_id, assigned.previous, assigned.by), (assignee, None, task.creator));
    let (task, told) = draft(None).created(2, "CORE-2".to_owned());
    assert_eq!((task.status, task.version, told.assigned), (Status::Todo, 1, None));
}

#[test]
fn v1_only_a_version_that_was_sent_can_be_stale() {
    let task = task(Status::Todo, UserId::new());
    assert!(task.expect_version(None).is_ok());
    assert!(task.expect_version(Some(1)).is_ok());
    let error = task.expect_version(Some(7)).unwrap_err();
    assert_eq!((error.reason(), error.metadata()), ("ETAG_MISMATCH", vec![("version", "1".to_owned())]));
}
