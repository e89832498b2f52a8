//! Lists of projects and tasks.

use taskman_ids::ProjectId;
use taskman_proto::task::{
    CreateTaskRequest, ListProjectsRequest, ListProjectsResponse, ListTasksRequest, ListTasksResponse, ProjectStatus,
};
use tonic::{Code, Status};

use crate::fixture::{Client, World, new_task, refusal, refused, wrong_fields};

async fn tasks(mut client: Client, request: ListTasksRequest) -> Result<ListTasksResponse, Status> {
    Ok(client.list_tasks(request).await?.into_inner())
}

async fn projects(mut client: Client, request: ListProjectsRequest) -> Result<ListProjectsResponse, Status> {
    Ok(client.list_projects(request).await?.into_inner())
}

/// Returns the keys of the tasks that a list shows.
async fn keys(world: &World, request: ListTasksRequest) -> Vec<String> {
    tasks(world.lead(), request).await.unwrap().tasks.into_iter().map(|task| task.key).collect()
}

#[tokio::test]
async fn tasks_are_listed_by_project_assignee_and_state_newest_first() {
    let world = World::start().await;
    let colleague = world.colleague();
    let (core, other) = (world.project("Core").await, world.project("Other").await);
    let of = |project, user: &taskman_identity::Caller| CreateTaskRequest {
        assignee_id: user.user.to_string(),
        ..new_task(project)
    };
    let mut made = Vec::new();
    for request in [
        new_task(&core),
        of(&core, &world.lead),
        of(&core, &colleague),
        of(&other, &world.lead),
        of(&other, &world.lead),
    ] {
        made.push(world.create(request).await.unwrap());
    }
    world.start_task(&world.lead, &made[1]).await.unwrap();
    world.set_task_status(&made[3].id, "cancelled").await;
    world.set_task_status(&made[4].id, "review").await;

    let all = ListTasksRequest::default;
    let (project_id, mine) = (core.id.clone(), world.lead.user.to_string());
    let cases = [
        (all(), vec!["OTHE-2", "OTHE-1", "CORE-3", "CORE-2", "CORE-1"]),
        (ListTasksRequest { project_id: project_id.clone(), ..all() }, vec!["CORE-3", "CORE-2", "CORE-1"]),
        (ListTasksRequest { assignee: "me".into(), ..all() }, vec!["OTHE-2", "OTHE-1", "CORE-2"]),
        (ListTasksRequest { assignee: mine, ..all() }, vec!["OTHE-2", "OTHE-1", "CORE-2"]),
        (ListTasksRequest { assignee: colleague.user.to_string(), ..all() }, vec!["CORE-3"]),
        (ListTasksRequest { status: "in_progress".into(), ..all() }, vec!["CORE-2"]),
        (ListTasksRequest { status: "active".into(), ..all() }, vec!["OTHE-2", "CORE-3", "CORE-2", "CORE-1"]),
        (ListTasksRequest { assignee: "me".into(), status: "active".into(), ..all() }, vec!["OTHE-2", "CORE-2"]),
        (ListTasksRequest { project_id, assignee: "me".into(), status: "todo".into(), ..all() }, vec![]),
    ];
    for (request, expected) in cases {
        assert_eq!(keys(&world, request.clone()).await, expected, "{request:?}");
    }
    let theirs = tasks(world.of(&world.stranger()), all()).await.unwrap();
    assert!(theirs.tasks.is_empty() && theirs.next_page_token.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn pages_hold_every_task_once_even_when_others_are_created_meanwhile() {
    let world = World::start().await;
    let project = world.project("Core").await;
    for _ in 0..5 {
        world.create(new_task(&project)).await.unwrap();
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListTasksRequest { page_size: 2, page_token: token, ..ListTasksRequest::default() };
        let page = tasks(world.lead(), request).await.unwrap();
        seen.push(page.tasks.into_iter().map(|task| task.number).collect::<Vec<_>>());
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        world.create(new_task(&project)).await.unwrap();
    }
    assert_eq!(seen, [vec![5, 4], vec![3, 2], vec![1]]);
    world.stop().await;
}

#[tokio::test]
async fn a_page_token_is_good_for_its_own_list_only() {
    let world = World::start().await;
    let project = world.project("Core").await;
    world.project("Other").await;
    for _ in 0..2 {
        world.create(new_task(&project)).await.unwrap();
    }
    let first = ListTasksRequest { page_size: 1, ..ListTasksRequest::default() };
    let page_token = tasks(world.lead(), first.clone()).await.unwrap().next_page_token;
    let next = ListTasksRequest { page_token: page_token.clone(), ..first.clone() };
    assert_eq!(keys(&world, ListTasksRequest { page_size: 9, ..next.clone() }).await, ["CORE-1"]);

    let invalid = || refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let filtered = ListTasksRequest { status: "todo".into(), ..next.clone() };
    assert_eq!(refusal(tasks(world.lead(), filtered).await), invalid());
    assert_eq!(refusal(tasks(world.of(&world.stranger()), next.clone()).await), invalid());
    let damaged = ListTasksRequest { page_token: format!("{page_token}A"), ..next };
    assert_eq!(refusal(tasks(world.lead(), damaged).await), invalid());
    let other = ListProjectsRequest { page_token, ..ListProjectsRequest::default() };
    assert_eq!(refusal(projects(world.lead(), other).await), invalid());
    world.stop().await;
}

#[tokio::test]
async fn a_project_without_tasks_has_an_empty_list_and_an_unknown_one_none() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let of = |project_id: String| ListTasksRequest { project_id, ..ListTasksRequest::default() };
    assert!(keys(&world, of(project.id.clone())).await.is_empty());
    let unknown = tasks(world.lead(), of(ProjectId::new().to_string())).await;
    assert_eq!(refusal(unknown), refused(Code::NotFound, "NOT_FOUND"));
    let theirs = tasks(world.of(&world.stranger()), of(project.id)).await;
    assert_eq!(refusal(theirs), refused(Code::NotFound, "NOT_FOUND"));
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_list_is_told_at_once() {
    let world = World::start().await;
    let request = ListTasksRequest {
        page_size: -1,
        page_token: String::new(),
        project_id: "CORE".into(),
        assignee: "you".into(),
        status: "done".into(),
    };
    assert_eq!(wrong_fields(tasks(world.lead(), request).await), ["page_size", "project_id", "assignee", "status"]);
    let request = ListProjectsRequest { page_size: -1, status: 9, page_token: String::new() };
    assert_eq!(wrong_fields(projects(world.lead(), request).await), ["page_size", "status"]);
    world.stop().await;
}

#[tokio::test]
async fn projects_are_listed_by_state_newest_first_in_pages() {
    let world = World::start().await;
    let mut made = Vec::new();
    for name in ["Alpha", "Beta", "Gamma"] {
        made.push(world.project(name).await);
    }
    world.set_project_status(&made[1].id, "on_hold").await;
    let names = |page: ListProjectsResponse| page.projects.into_iter().map(|p| p.name).collect::<Vec<_>>();

    let first = ListProjectsRequest { page_size: 2, ..ListProjectsRequest::default() };
    let page = projects(world.lead(), first.clone()).await.unwrap();
    let next = ListProjectsRequest { page_token: page.next_page_token.clone(), ..first };
    assert_eq!(names(page), ["Gamma", "Beta"]);
    let page = projects(world.lead(), next).await.unwrap();
    assert!(page.next_page_token.is_empty());
    assert_eq!(names(page), ["Alpha"]);

    let paused = ListProjectsRequest { status: ProjectStatus::OnHold.into(), ..ListProjectsRequest::default() };
    assert_eq!(names(projects(world.lead(), paused).await.unwrap()), ["Beta"]);
    let theirs = projects(world.of(&world.stranger()), ListProjectsRequest::default()).await.unwrap();
    assert!(theirs.projects.is_empty());
    world.stop().await;
}
