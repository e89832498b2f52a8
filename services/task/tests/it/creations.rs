//! Creating and reading tasks.

use futures::future::join_all;
use prost_types::Timestamp;
use taskman_events::task::{TaskAssigned, TaskCreated};
use taskman_ids::{ProjectId, TaskId};
use taskman_proto::task::{CreateTaskRequest, Priority, Task, TaskStatus};
use taskman_testkit::caller_of;
use tonic::Code;

use crate::fixture::{World, new_task, refusal, refused, wrong_fields};

#[tokio::test]
async fn a_task_is_numbered_in_its_project_and_announced() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let request = CreateTaskRequest {
        title: " Cafe\u{301} ".to_owned(),
        description: "Line\n\tby line".to_owned(),
        priority: Priority::Critical.into(),
        due_date: Some(Timestamp { seconds: 1_800_000_000, nanos: 123_456_789 }),
        estimated_hours: Some(12.25),
        ..new_task(&project)
    };
    let task = world.create(request).await.unwrap();
    assert_eq!((task.number, task.key.as_str(), task.title.as_str()), (1, "CORE-1", "Caf\u{e9}"));
    assert_eq!((task.status(), task.priority()), (TaskStatus::Todo, Priority::Critical));
    assert_eq!(task.due_date, Some(Timestamp { seconds: 1_800_000_000, nanos: 123_456_000 }));
    assert_eq!((task.estimated_hours, task.actual_hours), (Some(12.25), None));
    assert_eq!((task.creator_id.clone(), task.assignee_id.as_str()), (world.lead.user.to_string(), ""));
    assert_eq!((task.version, &task.project_id), (1, &project.id));
    assert_eq!(world.get(&world.lead, &task.id).await.unwrap(), task);
    assert_eq!(world.create(new_task(&project)).await.unwrap().key, "CORE-2");

    let events = world.service.events().await;
    let created: TaskCreated = events[1].data().unwrap();
    assert_eq!((created.task.id.to_string(), created.task.key.as_str()), (task.id, "CORE-1"));
    assert_eq!(world.event_names().await, ["project.created", "task.created", "task.created"]);
    world.stop().await;
}

#[tokio::test]
async fn tasks_that_are_created_at_once_get_numbers_without_gap_or_duplicate() {
    let world = World::start().await;
    let (project, other) = (world.project("Core").await, world.project("Other").await);
    let created = join_all((0..64).map(|_| world.create(new_task(&project)))).await;
    let mut numbers: Vec<i32> = created.into_iter().map(|task| task.unwrap().number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    assert_eq!(world.create(new_task(&other)).await.unwrap().key, "OTHE-1");
    world.stop().await;
}

#[tokio::test]
async fn a_task_can_be_given_to_somebody_at_once() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.task_of(&colleague).await;
    assert_eq!((task.assignee_id, task.version, task.status), (colleague.user.to_string(), 1, TaskStatus::Todo.into()));
    assert_eq!(world.event_names().await, ["project.created", "task.created", "task.assigned"]);
    let assigned: TaskAssigned = world.service.events().await[2].data().unwrap();
    assert_eq!((assigned.assignee_id, assigned.previous, assigned.by), (colleague.user, None, world.lead.user));
    assert_eq!(assigned.task.key, "CORE-1");
    world.stop().await;
}

#[tokio::test]
async fn giving_a_task_away_at_once_needs_the_permission_to_assign() {
    let world = World::start().await;
    world.authorization.deny("tasks:assign");
    let project = world.project("Core").await;
    let request = CreateTaskRequest { assignee_id: world.lead.user.to_string(), ..new_task(&project) };
    let outcome = world.create(request).await;
    assert_eq!(refusal(outcome), refused(Code::PermissionDenied, "PERMISSION_DENIED"));
    assert_eq!(world.create(new_task(&project)).await.unwrap().number, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_refused_assignee_leaves_no_task_and_no_gap() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let (inactive, unknown) = (caller_of(world.lead.company), caller_of(world.lead.company));
    world.users.add(&inactive, false);
    for assignee in [inactive, unknown, world.stranger()] {
        let request = CreateTaskRequest { assignee_id: assignee.user.to_string(), ..new_task(&project) };
        let outcome = world.create(request).await;
        assert_eq!(refusal(outcome), refused(Code::FailedPrecondition, "ASSIGNEE_INVALID"));
    }
    assert_eq!(world.create(new_task(&project)).await.unwrap().number, 1);
    assert_eq!(world.event_names().await, ["project.created", "task.created"]);
    world.stop().await;
}

#[tokio::test]
async fn a_task_needs_a_project_of_the_company_that_is_open() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let unknown = CreateTaskRequest { project_id: ProjectId::new().to_string(), ..new_task(&project) };
    assert_eq!(refusal(world.create(unknown).await), refused(Code::NotFound, "NOT_FOUND"));
    let theirs = world.of(&world.stranger()).create_task(new_task(&project)).await;
    assert_eq!(refusal(theirs), refused(Code::NotFound, "NOT_FOUND"));
    for (status, open) in
        [("completed", false), ("cancelled", false), ("on_hold", true), ("planning", true), ("active", true)]
    {
        world.set_project_status(&project.id, status).await;
        let outcome = world.create(new_task(&project)).await;
        if open {
            assert!(outcome.is_ok(), "{status}: {outcome:?}");
        } else {
            assert_eq!(refusal(outcome), refused(Code::FailedPrecondition, "PROJECT_CLOSED"), "{status}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_new_task_is_told_at_once() {
    let world = World::start().await;
    let request = CreateTaskRequest {
        project_id: String::new(),
        title: "x".repeat(501),
        description: "x".repeat(65_537),
        priority: -1,
        due_date: Some(Timestamp { seconds: 0, nanos: -1 }),
        assignee_id: "me".to_owned(),
        estimated_hours: Some(1.005),
        request_id: "1".to_owned(),
    };
    let fields =
        ["project_id", "title", "description", "priority", "due_date", "assignee_id", "estimated_hours", "request_id"];
    assert_eq!(wrong_fields(world.create(request).await), fields);
    world.stop().await;
}

#[tokio::test]
async fn hours_are_numbers_with_two_decimals() {
    let world = World::start().await;
    let project = world.project("Core").await;
    for hours in [f64::NAN, f64::INFINITY, -0.01, 1_000_000.0, 0.125] {
        let request = CreateTaskRequest { estimated_hours: Some(hours), ..new_task(&project) };
        assert_eq!(wrong_fields(world.create(request).await), ["estimated_hours"], "{hours}");
    }
    for hours in [0.0, 0.01, 0.1, 999_999.99] {
        let request = CreateTaskRequest { estimated_hours: Some(hours), ..new_task(&project) };
        assert_eq!(world.create(request).await.unwrap().estimated_hours, Some(hours));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_task_of_another_company_looks_like_one_that_does_not_exist() {
    let world = World::start().await;
    let task = world.task().await;
    let theirs = world.get(&world.stranger(), &task.id).await;
    assert_eq!(refusal(theirs), refused(Code::NotFound, "NOT_FOUND"));
    let unknown = world.get(&world.lead, &TaskId::new().to_string()).await;
    assert_eq!(refusal(unknown), refused(Code::NotFound, "NOT_FOUND"));
    assert_eq!(wrong_fields(world.get(&world.lead, "CORE-1").await), ["id"]);
    world.stop().await;
}

#[tokio::test]
async fn a_task_that_is_in_no_cache_comes_from_the_database() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.running_task_of(&colleague).await;
    let task = world.complete(&colleague, &task, Some(1.5)).await.unwrap();
    let id = TaskId::new().to_string();
    sqlx::query("UPDATE tasks SET id = $1::uuid WHERE id = $2::uuid")
        .bind(&id)
        .bind(&task.id)
        .execute(world.service.pool())
        .await
        .unwrap();
    assert_eq!(world.get(&world.lead, &id).await.unwrap(), Task { id, ..task });
    world.stop().await;
}
