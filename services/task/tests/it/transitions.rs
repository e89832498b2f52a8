//! Assigning, starting and completing tasks.

use chrono::TimeDelta;
use taskman_events::task::{TaskAssigned, TaskCompleted, TaskStarted, TaskStatus as EventStatus};
use taskman_ids::TaskId;
use taskman_proto::task::{AssignTaskRequest, CompleteTaskRequest, StartTaskRequest, Task, TaskStatus};
use taskman_testkit::caller_of;
use tonic::Code;

use crate::fixture::{World, fact, refusal, refused, wrong_fields};

fn unknown_task() -> Task {
    Task { id: TaskId::new().to_string(), ..Task::default() }
}

#[tokio::test]
async fn assigning_changes_the_version_is_announced_and_is_seen_at_once() {
    let world = World::start().await;
    let (first, second) = (world.colleague(), world.colleague());
    let task = world.task_of(&first).await;
    assert_eq!(world.get(&first, &task.id).await.unwrap().version, 1);
    world.service.clock().advance(TimeDelta::minutes(1));
    let assigned = world.assign(&task, &second, 1).await.unwrap();
    assert_eq!((assigned.assignee_id.clone(), assigned.version), (second.user.to_string(), 2));
    assert_eq!(assigned.status(), TaskStatus::Todo);
    assert_eq!(assigned.updated_at.unwrap().seconds, task.updated_at.unwrap().seconds + 60);
    assert_eq!(world.get(&first, &task.id).await.unwrap(), assigned);

    let event: TaskAssigned = world.service.events().await.last().unwrap().data().unwrap();
    assert_eq!((event.previous, event.assignee_id, event.by), (Some(first.user), second.user, world.lead.user));
    world.stop().await;
}

#[tokio::test]
async fn giving_a_task_to_whoever_has_it_changes_nothing() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.task_of(&colleague).await;
    let events = world.event_names().await;
    world.service.clock().advance(TimeDelta::minutes(1));
    assert_eq!(world.assign(&task, &colleague, 1).await.unwrap(), task);
    assert_eq!(world.event_names().await, events);
    world.stop().await;
}

#[tokio::test]
async fn of_two_who_assign_the_same_version_one_wins() {
    let world = World::start().await;
    let (first, second) = (world.colleague(), world.colleague());
    let task = world.task().await;
    let (one, other) = tokio::join!(world.assign(&task, &first, 1), world.assign(&task, &second, 1));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    let (won, lost) = (won.unwrap(), lost.unwrap_err());
    assert_eq!(fact(&lost, "version"), Some("2".to_owned()));
    assert_eq!(refusal::<()>(Err(lost)), refused(Code::Aborted, "ETAG_MISMATCH"));
    assert_eq!(world.get(&world.lead, &task.id).await.unwrap(), won);
    assert_eq!(world.event_names().await, ["project.created", "task.created", "task.assigned"]);
    world.stop().await;
}

#[tokio::test]
async fn only_an_active_user_of_the_company_is_given_a_task() {
    let world = World::start().await;
    let task = world.task().await;
    let (inactive, unknown) = (caller_of(world.lead.company), caller_of(world.lead.company));
    world.users.add(&inactive, false);
    for assignee in [inactive, unknown, world.stranger()] {
        let outcome = world.assign(&task, &assignee, 0).await;
        assert_eq!(refusal(outcome), refused(Code::FailedPrecondition, "ASSIGNEE_INVALID"));
    }
    assert_eq!(world.get(&world.lead, &task.id).await.unwrap().version, 1);
    world.stop().await;
}

#[tokio::test]
async fn without_the_user_service_nobody_is_assigned() {
    let world = World::start_with(|config| config.assignable_timeout_ms = 200).await;
    let (colleague, task) = (world.colleague(), world.task().await);
    for code in [Code::Unavailable, Code::Internal, Code::NotFound] {
        world.users.fail(code);
        let outcome = world.assign(&task, &colleague, 0).await;
        assert_eq!(refusal(outcome), refused(Code::Unavailable, "UNAVAILABLE"), "{code:?}");
    }
    world.users.hang();
    assert_eq!(refusal(world.assign(&task, &colleague, 0).await), refused(Code::Unavailable, "UNAVAILABLE"));

    // What the task itself says comes first: it needs no other service.
    assert_eq!(refusal(world.assign(&unknown_task(), &colleague, 0).await), refused(Code::NotFound, "NOT_FOUND"));
    world.set_task_status(&task.id, "review").await;
    let outcome = world.assign(&task, &colleague, 0).await;
    assert_eq!(refusal(outcome), refused(Code::FailedPrecondition, "TASK_NOT_ASSIGNABLE"));
    assert_eq!(world.event_names().await, ["project.created", "task.created"]);
    world.stop().await;
}

#[tokio::test]
async fn starting_notes_when_work_began_and_is_announced() {
    let world = World::start().await;
    let task = world.task().await;
    world.service.clock().advance(TimeDelta::hours(1));
    let started = world.start_task(&world.lead, &task).await.unwrap();
    assert_eq!((started.status(), started.version), (TaskStatus::InProgress, 2));
    assert_eq!(started.started_at, started.updated_at);
    assert_eq!(started.started_at.unwrap().seconds, task.created_at.unwrap().seconds + 3_600);
    assert_eq!(world.get(&world.lead, &task.id).await.unwrap(), started);
    let event: TaskStarted = world.service.events().await.last().unwrap().data().unwrap();
    assert_eq!((event.from, event.to, event.by), (EventStatus::Todo, EventStatus::InProgress, world.lead.user));
    world.stop().await;
}

#[tokio::test]
async fn the_assignee_completes_a_running_task_with_the_hours_it_took() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.running_task_of(&colleague).await;
    world.service.clock().advance(TimeDelta::hours(2));
    let done = world.complete(&colleague, &task, Some(2.25)).await.unwrap();
    assert_eq!((done.status(), done.version, done.actual_hours), (TaskStatus::Completed, 3, Some(2.25)));
    assert_eq!((done.completed_by.clone(), done.completed_at), (colleague.user.to_string(), done.updated_at));
    assert_eq!(world.get(&world.lead, &task.id).await.unwrap(), done);
    let event: TaskCompleted = world.service.events().await.last().unwrap().data().unwrap();
    assert_eq!((event.completed_by, event.assignee_id), (colleague.user, Some(colleague.user)));
    assert_eq!(event.actual_hours.unwrap().to_string(), "2.25");
    let names = ["project.created", "task.created", "task.assigned", "task.started", "task.completed"];
    assert_eq!(world.event_names().await, names);
    world.stop().await;
}

#[tokio::test]
async fn nobody_else_completes_a_task_and_the_state_is_looked_at_first() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.task_of(&colleague).await;
    let early = world.complete(&world.lead, &task, None).await;
    assert_eq!(refusal(early), refused(Code::FailedPrecondition, "TASK_NOT_IN_PROGRESS"));
    world.start_task(&colleague, &task).await.unwrap();
    let other = world.complete(&world.lead, &task, None).await;
    assert_eq!(refusal(other), refused(Code::PermissionDenied, "UNAUTHORIZED_COMPLETION"));
    assert!(world.complete(&colleague, &task, None).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn a_state_takes_only_its_own_operations() {
    let world = World::start().await;
    let (colleague, other) = (world.colleague(), world.colleague());
    let task = world.running_task_of(&colleague).await;
    let not_assignable = || refused(Code::FailedPrecondition, "TASK_NOT_ASSIGNABLE");
    let invalid = || refused(Code::FailedPrecondition, "TASK_INVALID_TRANSITION");
    let not_running = || refused(Code::FailedPrecondition, "TASK_NOT_IN_PROGRESS");
    for status in ["in_progress", "review", "cancelled"] {
        world.set_task_status(&task.id, status).await;
        assert_eq!(refusal(world.assign(&task, &other, 0).await), not_assignable(), "{status}");
        let started = world.start_task(&colleague, &task).await.unwrap_err();
        assert_eq!(fact(&started, "from").as_deref(), Some(status));
        assert_eq!(fact(&started, "to").as_deref(), Some("in_progress"));
        assert_eq!(refusal::<()>(Err(started)), invalid(), "{status}");
        if status != "in_progress" {
            assert_eq!(refusal(world.complete(&colleague, &task, None).await), not_running(), "{status}");
        }
    }
    world.set_task_status(&task.id, "in_progress").await;
    world.complete(&colleague, &task, None).await.unwrap();
    assert_eq!(refusal(world.assign(&task, &other, 0).await), not_assignable());
    assert_eq!(refusal(world.start_task(&colleague, &task).await), invalid());
    assert_eq!(refusal(world.complete(&colleague, &task, None).await), not_running());
    world.stop().await;
}

#[tokio::test]
async fn a_closed_project_refuses_everything_and_a_paused_one_the_start() {
    let world = World::start().await;
    let colleague = world.colleague();
    let (waiting, running) = (world.task_of(&colleague).await, world.running_task_of(&colleague).await);
    let closed = || refused(Code::FailedPrecondition, "PROJECT_CLOSED");
    for project in [&waiting.project_id, &running.project_id] {
        world.set_project_status(project, "completed").await;
    }
    assert_eq!(refusal(world.assign(&waiting, &world.lead, 0).await), closed());
    assert_eq!(refusal(world.start_task(&colleague, &waiting).await), closed());
    assert_eq!(refusal(world.complete(&colleague, &running, None).await), closed());
    for project in [&waiting.project_id, &running.project_id] {
        world.set_project_status(project, "on_hold").await;
    }
    let paused = world.start_task(&colleague, &waiting).await.unwrap_err();
    assert_eq!(fact(&paused, "project_status").as_deref(), Some("on_hold"));
    assert_eq!(refusal::<()>(Err(paused)), closed());
    assert!(world.assign(&waiting, &world.lead, 0).await.is_ok());
    assert!(world.complete(&colleague, &running, None).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn a_stale_version_is_refused_with_the_present_one() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.running_task_of(&colleague).await;
    let id = task.id.clone();
    let start = StartTaskRequest { id: id.clone(), version: 1, request_id: String::new() };
    let complete = CompleteTaskRequest { id, version: 7, actual_hours: None, request_id: String::new() };
    let outcomes = [
        world.assign(&task, &world.lead, 1).await.map(|_| ()),
        world.of(&colleague).start_task(start).await.map(|_| ()),
        world.of(&colleague).complete_task(complete).await.map(|_| ()),
    ];
    for outcome in outcomes {
        assert_eq!(fact(outcome.as_ref().unwrap_err(), "version").as_deref(), Some("2"));
        assert_eq!(refusal(outcome), refused(Code::Aborted, "ETAG_MISMATCH"));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_task_of_another_company_is_not_found_by_any_operation() {
    let world = World::start().await;
    let (task, stranger) = (world.task().await, world.stranger());
    let assign = AssignTaskRequest {
        id: task.id.clone(),
        assignee_id: stranger.user.to_string(),
        ..AssignTaskRequest::default()
    };
    let not_found = || refused(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal(world.of(&stranger).assign_task(assign).await), not_found());
    assert_eq!(refusal(world.start_task(&stranger, &task).await), not_found());
    assert_eq!(refusal(world.complete(&stranger, &task, None).await), not_found());
    let unknown = unknown_task();
    assert_eq!(refusal(world.assign(&unknown, &world.lead, 0).await), not_found());
    assert_eq!(refusal(world.start_task(&world.lead, &unknown).await), not_found());
    assert_eq!(refusal(world.complete(&world.lead, &unknown, None).await), not_found());
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_operation_is_told_at_once() {
    let world = World::start().await;
    let mut client = world.lead();
    let (bad, version) = (|| "x".to_owned(), -1);
    let assign = AssignTaskRequest { id: bad(), assignee_id: String::new(), version, request_id: bad() };
    assert_eq!(wrong_fields(client.assign_task(assign).await), ["id", "assignee_id", "version", "request_id"]);
    let start = StartTaskRequest { id: bad(), version, request_id: bad() };
    assert_eq!(wrong_fields(client.start_task(start).await), ["id", "version", "request_id"]);
    let complete = CompleteTaskRequest { id: bad(), actual_hours: Some(f64::NAN), version, request_id: bad() };
    assert_eq!(wrong_fields(client.complete_task(complete).await), ["id", "actual_hours", "version", "request_id"]);
    world.stop().await;
}
