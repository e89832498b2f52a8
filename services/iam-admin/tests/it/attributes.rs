//! What policies may read of roles.

use taskman_proto::authorization::BatchGetResourceAttributesRequest;
use taskman_proto::authorization::resource_attributes_service_client::ResourceAttributesServiceClient;
use taskman_testkit::caller;

use crate::fixture::{World, wrong_fields};

#[tokio::test]
async fn attributes_are_those_of_the_companys_own_roles() {
    let world = World::start().await;
    let mut client = ResourceAttributesServiceClient::new(world.service.fleet("authorization"));
    let stranger = caller();
    world.provision(&stranger).await.unwrap();
    let theirs = world.roles_of(&stranger).await["viewer"].clone();
    let ours = world.roles["viewer"].clone();
    let request = BatchGetResourceAttributesRequest {
        company_id: world.admin.company.to_string(),
        r#type: "roles".into(),
        ids: vec![ours.clone(), theirs, "no-id".into()],
    };
    let [viewer] =
        client.batch_get_resource_attributes(request.clone()).await.unwrap().into_inner().resources.try_into().unwrap();
    assert_eq!(viewer.id, ours);
    let expected = [("name".to_owned(), "viewer".to_owned()), ("system".to_owned(), "true".to_owned())];
    assert_eq!(viewer.attributes, expected.into());

    let users = BatchGetResourceAttributesRequest { r#type: "users".into(), ..request.clone() };
    assert!(client.batch_get_resource_attributes(users).await.unwrap().into_inner().resources.is_empty());
    let ids = vec![ours; 1_001];
    let wrong = BatchGetResourceAttributesRequest { company_id: "x".into(), ids, ..request };
    assert_eq!(wrong_fields(client.batch_get_resource_attributes(wrong).await), ["company_id", "ids"]);
    world.service.stop().await;
}
