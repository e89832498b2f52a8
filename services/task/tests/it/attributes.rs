//! What policies may read of projects and tasks.

use std::collections::HashMap;

use taskman_ids::{CompanyId, TaskId};
use taskman_proto::authorization::resource_attributes_service_client::ResourceAttributesServiceClient;
use taskman_proto::authorization::{BatchGetResourceAttributesRequest, ResourceAttributes};
use tonic::{Code, Status};

use crate::fixture::{World, refusal, refused, wrong_fields};

async fn ask(
    world: &World,
    company: CompanyId,
    kind: &str,
    ids: Vec<String>,
) -> Result<Vec<ResourceAttributes>, Status> {
    let mut client = ResourceAttributesServiceClient::new(world.service.fleet("authorization"));
    let request = BatchGetResourceAttributesRequest { company_id: company.to_string(), r#type: kind.to_owned(), ids };
    Ok(client.batch_get_resource_attributes(request).await?.into_inner().resources)
}

fn attributes<const N: usize>(pairs: [(&str, String); N]) -> HashMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[tokio::test]
async fn a_task_tells_its_people_its_project_and_its_state() {
    let world = World::start().await;
    let colleague = world.colleague();
    let (given, free) = (world.running_task_of(&colleague).await, world.task().await);
    let unknown = TaskId::new().to_string();
    let ids = vec![given.id.to_uppercase(), unknown, "no id".to_owned(), free.id.clone()];
    let found = ask(&world, world.lead.company, "tasks", ids).await.unwrap();
    let lead = world.lead.user.to_string();
    let expected = [
        ResourceAttributes {
            id: given.id.to_uppercase(),
            attributes: attributes([
                ("owner", lead.clone()),
                ("creator_id", lead.clone()),
                ("assignee_id", colleague.user.to_string()),
                ("project_id", given.project_id),
                ("status", "in_progress".to_owned()),
            ]),
        },
        ResourceAttributes {
            id: free.id,
            attributes: attributes([
                ("owner", lead.clone()),
                ("creator_id", lead),
                ("project_id", free.project_id),
                ("status", "todo".to_owned()),
            ]),
        },
    ];
    assert_eq!(found, expected);
    world.stop().await;
}

#[tokio::test]
async fn a_project_tells_its_owner_and_its_state() {
    let world = World::start().await;
    let project = world.project("Core").await;
    let found = ask(&world, world.lead.company, "projects", vec![project.id.clone()]).await.unwrap();
    let owner = world.lead.user.to_string();
    let expected = attributes([("owner", owner.clone()), ("owner_id", owner), ("status", "active".to_owned())]);
    assert_eq!(found, [ResourceAttributes { id: project.id, attributes: expected }]);
    world.stop().await;
}

#[tokio::test]
async fn records_of_another_company_or_of_another_sort_do_not_exist() {
    let world = World::start().await;
    let task = world.task().await;
    let (ours, theirs) = (world.lead.company, CompanyId::new());
    for (company, kind, id) in [
        (theirs, "tasks", &task.id),
        (theirs, "projects", &task.project_id),
        (ours, "projects", &task.id),
        (ours, "users", &task.id),
    ] {
        assert_eq!(ask(&world, company, kind, vec![id.clone()]).await.unwrap(), [], "{kind}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_question_names_a_company_and_1_to_1000_ids() {
    let world = World::start().await;
    let mut client = ResourceAttributesServiceClient::new(world.service.fleet("authorization"));
    let empty = client.batch_get_resource_attributes(BatchGetResourceAttributesRequest::default()).await;
    assert_eq!(wrong_fields(empty), ["company_id", "ids"]);
    let ids = |count: usize| (0..count).map(|_| TaskId::new().to_string()).collect::<Vec<_>>();
    assert_eq!(ask(&world, world.lead.company, "tasks", ids(1_000)).await.unwrap(), []);
    assert_eq!(wrong_fields(ask(&world, world.lead.company, "tasks", ids(1_001)).await), ["ids"]);
    world.stop().await;
}

#[tokio::test]
async fn only_the_authorization_service_may_ask() {
    let world = World::start().await;
    let request = BatchGetResourceAttributesRequest::default();
    for channel in [world.service.fleet("notification"), world.service.caller(&world.lead)] {
        let outcome =
            ResourceAttributesServiceClient::new(channel).batch_get_resource_attributes(request.clone()).await;
        assert_eq!(refusal(outcome), refused(Code::PermissionDenied, "FLEET_ONLY"));
    }
    world.stop().await;
}
