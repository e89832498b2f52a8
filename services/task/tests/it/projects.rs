//! Creating and reading projects.

use futures::future::join_all;
use taskman_events::task::{ProjectCreated, ProjectStatus as EventStatus};
use taskman_ids::ProjectId;
use taskman_proto::task::{CreateProjectRequest, GetProjectRequest, Priority, Project, ProjectStatus};
use tonic::{Code, Status};

use crate::fixture::{Client, World, refusal, refused, wrong_fields};

async fn create(mut client: Client, request: CreateProjectRequest) -> Result<Project, Status> {
    Ok(client.create_project(request).await?.into_inner().project.unwrap())
}

async fn get(mut client: Client, id: &str) -> Result<Project, Status> {
    Ok(client.get_project(GetProjectRequest { id: id.to_owned() }).await?.into_inner().project.unwrap())
}

fn named(name: &str) -> CreateProjectRequest {
    CreateProjectRequest { name: name.to_owned(), ..CreateProjectRequest::default() }
}

fn keyed(key: &str) -> CreateProjectRequest {
    CreateProjectRequest { key: key.to_owned(), ..named("Core") }
}

#[tokio::test]
async fn a_project_is_active_belongs_to_its_creator_and_is_announced() {
    let world = World::start().await;
    let request = CreateProjectRequest {
        key: "CORE".to_owned(),
        description: "  What everything rests on. ".to_owned(),
        priority: Priority::High.into(),
        ..named(" Core  platform ")
    };
    let project = create(world.lead(), request).await.unwrap();
    assert_eq!((project.key.as_str(), project.name.as_str()), ("CORE", "Core  platform"));
    assert_eq!(project.description, "What everything rests on.");
    assert_eq!((project.status(), project.priority()), (ProjectStatus::Active, Priority::High));
    assert_eq!((project.owner_id.clone(), project.version), (world.lead.user.to_string(), 1));
    assert_eq!((project.created_at.is_some(), project.created_at), (true, project.updated_at));
    assert_eq!(get(world.lead(), &project.id).await.unwrap(), project);

    let events = world.service.events().await;
    assert_eq!((events.len(), events[0].company_id), (1, world.lead.company));
    let created: ProjectCreated = events[0].data().unwrap();
    assert_eq!((created.project.key.as_str(), created.project.status), ("CORE", EventStatus::Active));
    assert_eq!((created.by, created.project.id.to_string()), (world.lead.user, project.id));
    world.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_project_of_a_company() {
    let world = World::start().await;
    create(world.lead(), keyed("CORE")).await.unwrap();
    let again = create(world.lead(), keyed("CORE")).await;
    assert_eq!(refusal(again), refused(Code::AlreadyExists, "PROJECT_CODE_TAKEN"));
    assert!(create(world.of(&world.stranger()), keyed("CORE")).await.is_ok());
    assert_eq!(world.event_names().await.len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_key_that_is_made_from_the_name_gives_way_to_those_that_are_there() {
    let world = World::start().await;
    let mut keys = Vec::new();
    for name in ["Core", "core", "Customer Support Portal", "Core"] {
        keys.push(create(world.lead(), named(name)).await.unwrap().key);
    }
    assert_eq!(keys, ["CORE", "CORE2", "CSP", "CORE3"]);
    world.stop().await;
}

#[tokio::test]
async fn projects_of_one_name_that_are_created_at_once_get_different_keys() {
    let world = World::start().await;
    let made = join_all((0..12).map(|_| create(world.lead(), named("Core")))).await;
    let mut keys: Vec<String> = made.into_iter().map(|project| project.unwrap().key).collect();
    keys.sort_by_key(|key| (key.len(), key.clone()));
    let expected: Vec<String> =
        std::iter::once("CORE".to_owned()).chain((2..=12).map(|number| format!("CORE{number}"))).collect();
    assert_eq!(keys, expected);
    world.stop().await;
}

#[tokio::test]
async fn when_every_key_that_a_name_leads_to_is_taken_one_has_to_be_given() {
    let world = World::start().await;
    let first = create(world.lead(), named("Core")).await.unwrap();
    sqlx::query(
        "INSERT INTO projects
             (company_id, id, key, name, description, status, priority, owner_id, created_at, updated_at, version)
         SELECT company_id, gen_random_uuid(), 'CORE' || number, name, description, status, priority, owner_id,
                created_at, updated_at, version
         FROM projects, generate_series(2, 99) AS number WHERE id = $1::uuid",
    )
    .bind(&first.id)
    .execute(world.service.pool())
    .await
    .unwrap();
    let made = create(world.lead(), named("Core")).await;
    assert_eq!(refusal(made), refused(Code::AlreadyExists, "PROJECT_CODE_TAKEN"));
    assert!(create(world.lead(), keyed("CORE100")).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_new_project_is_told_at_once() {
    let world = World::start().await;
    let request = CreateProjectRequest {
        name: "  ".to_owned(),
        key: "core".to_owned(),
        description: "\u{7}".to_owned(),
        priority: 17,
        request_id: "again".to_owned(),
    };
    let outcome = create(world.lead(), request).await;
    assert_eq!(wrong_fields(outcome), ["name", "key", "description", "priority", "request_id"]);
    assert!(world.event_names().await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_project_of_another_company_looks_like_one_that_does_not_exist() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let theirs = get(world.of(&world.stranger()), &project.id).await.unwrap_err();
    let unknown = get(world.lead(), &ProjectId::new().to_string()).await.unwrap_err();
    assert_eq!(theirs.message(), unknown.message());
    for status in [theirs, unknown] {
        assert_eq!(refusal::<()>(Err(status)), refused(Code::NotFound, "NOT_FOUND"));
    }
    assert_eq!(wrong_fields(get(world.lead(), "CORE").await), ["id"]);
    world.stop().await;
}

#[tokio::test]
async fn a_project_that_is_in_no_cache_comes_from_the_database() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let id = ProjectId::new().to_string();
    sqlx::query("UPDATE projects SET id = $1::uuid WHERE id = $2::uuid")
        .bind(&id)
        .bind(&project.id)
        .execute(world.service.pool())
        .await
        .unwrap();
    assert_eq!(get(world.lead(), &id).await.unwrap(), Project { id, ..project });
    world.stop().await;
}
