//! Requests that a client repeats with their own name.

use futures::future::join_all;
use taskman_proto::task::{CompleteTaskRequest, CreateProjectRequest, CreateTaskRequest, StartTaskRequest};
use tonic::Code;

use crate::fixture::{World, new_task, refusal, refused};

fn request_id() -> String {
    taskman_ids::new_uuid().to_string()
}

#[tokio::test]
async fn a_repeated_creation_answers_the_same_and_creates_nothing() {
    let world = World::start().await;
    let colleague = world.colleague();
    let create =
        CreateProjectRequest { name: "Core".to_owned(), request_id: request_id(), ..CreateProjectRequest::default() };
    let first = world.lead().create_project(create.clone()).await.unwrap().into_inner();
    let again = world.lead().create_project(create).await.unwrap().into_inner();
    assert_eq!(first, again);

    let request = CreateTaskRequest {
        assignee_id: colleague.user.to_string(),
        estimated_hours: Some(0.1),
        request_id: request_id(),
        ..new_task(&first.project.unwrap())
    };
    let first = world.create(request.clone()).await.unwrap();
    // What has become of the assignee meanwhile does not change what was answered.
    world.users.add(&colleague, false);
    assert_eq!(world.create(request).await.unwrap(), first);
    assert_eq!(world.event_names().await, ["project.created", "task.created", "task.assigned"]);
    world.stop().await;
}

#[tokio::test]
async fn a_name_stands_for_one_request_of_one_caller() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let request = CreateTaskRequest { request_id: request_id(), ..new_task(&project) };
    world.create(request.clone()).await.unwrap();
    let other = CreateTaskRequest { title: "Another".to_owned(), ..request.clone() };
    assert_eq!(refusal(world.create(other).await), refused(Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"));
    let theirs = world.of(&world.colleague()).create_task(request).await.unwrap().into_inner();
    assert_eq!(theirs.task.unwrap().number, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_creation_that_is_sent_many_times_at_once_happens_once() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let request = CreateTaskRequest { request_id: request_id(), ..new_task(&project) };
    let outcomes = join_all((0..8).map(|_| world.create(request.clone()))).await;
    let (done, refusals): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert!(!done.is_empty());
    assert!(done.into_iter().all(|task| task.unwrap().number == 1));
    for outcome in refusals {
        assert_eq!(refusal(outcome), refused(Code::Aborted, "REQUEST_IN_FLIGHT"));
    }
    assert_eq!(world.event_names().await, ["project.created", "task.created"]);
    world.stop().await;
}

#[tokio::test]
async fn a_repeated_operation_answers_the_same_instead_of_being_refused() {
    let world = World::start().await;
    let colleague = world.colleague();
    let task = world.task_of(&colleague).await;
    let mut client = world.of(&colleague);
    let start = StartTaskRequest { id: task.id.clone(), version: 1, request_id: request_id() };
    let first = client.start_task(start.clone()).await.unwrap().into_inner();
    assert_eq!(client.start_task(start).await.unwrap().into_inner(), first);
    let complete = CompleteTaskRequest { id: task.id, version: 2, actual_hours: Some(1.1), request_id: request_id() };
    let first = client.complete_task(complete.clone()).await.unwrap().into_inner();
    assert_eq!(client.complete_task(complete).await.unwrap().into_inner(), first);
    let names = world.event_names().await;
    assert_eq!(names[3..], ["task.started", "task.completed"]);
    world.stop().await;
}

#[tokio::test]
async fn a_refused_request_can_be_repeated_when_its_reason_is_gone() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let request = CreateTaskRequest { request_id: request_id(), ..new_task(&project) };
    world.set_project_status(&project.id, "completed").await;
    let outcome = world.create(request.clone()).await;
    assert_eq!(refusal(outcome), refused(Code::FailedPrecondition, "PROJECT_CLOSED"));
    world.set_project_status(&project.id, "active").await;
    assert_eq!(world.create(request).await.unwrap().number, 1);
    world.stop().await;
}
