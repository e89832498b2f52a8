//! Provisioning, and the roles that come of it.

use taskman_events::iam::{RoleAssigned, RoleCreated};
use taskman_identity::Caller;
use taskman_ids::UserId;
use taskman_proto::iam::{GetSubjectRolesRequest, ListRolesRequest, ProvisionCompanyRequest};
use taskman_testkit::caller;
use tonic::Code;

use crate::fixture::{World, refusal, wrong_fields};

const ROLES: [&str; 5] = ["admin", "developer", "project_manager", "team_lead", "viewer"];

#[tokio::test]
async fn a_company_starts_with_its_roles_and_an_administrator() {
    let world = World::start().await;
    let reply = world.of(&world.admin).list_roles(ListRolesRequest::default()).await.unwrap().into_inner();
    let names: Vec<_> = reply.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ROLES);
    assert!(reply.roles.iter().all(|role| role.system && role.version == 1 && !role.description.is_empty()));
    assert_eq!(reply.next_page_token, "");

    assert_eq!(world.names(world.admin.company, world.admin.user).await, (vec!["admin".to_owned()], 1));
    let [held] = world.held(world.admin.user).await.try_into().unwrap();
    assert_eq!((held.role.unwrap().name.as_str(), held.assigned_by.as_str()), ("admin", ""));
    assert_eq!(held.expires_at, None);
    world.service.stop().await;
}

#[tokio::test]
async fn provisioning_tells_of_each_role_and_policy_and_of_the_administrator() {
    let world = World::start().await;
    let events = world.service.events().await;
    let created: Vec<RoleCreated> = events.iter().filter_map(|event| event.data().ok()).collect();
    let mut names: Vec<_> = created.iter().map(|role| role.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ROLES);
    assert!(created.iter().all(|role| world.roles[&role.name] == role.role_id.to_string()));
    let policies = events.iter().filter(|event| event.routing_key() == "iam.policy.created").count();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM policies WHERE company_id = $1")
        .bind(world.admin.company)
        .fetch_one(world.service.pool())
        .await
        .unwrap();
    assert_eq!(i64::try_from(policies).unwrap(), stored);
    let assigned: RoleAssigned = events.last().unwrap().data().unwrap();
    assert_eq!((assigned.user_id, assigned.role_name.as_str()), (world.admin.user, "admin"));
    assert_eq!(events.len(), ROLES.len() + policies + 1);
    assert!(events.iter().all(|event| event.company_id == world.admin.company));
    world.service.stop().await;
}

#[tokio::test]
async fn provisioning_again_changes_nothing() {
    let world = World::start().await;
    // Something happens in between: the answer is still the position of the first time.
    world.colleague("viewer").await;
    let before = world.service.events().await.len();
    assert_eq!(world.provision(&world.admin).await.unwrap(), 1);
    assert_eq!(world.service.events().await.len(), before);
    assert_eq!(world.roles_of(&world.admin).await, world.roles);
    assert_eq!(world.names(world.admin.company, world.admin.user).await.1, 2);
    world.service.stop().await;
}

#[tokio::test]
async fn provisioning_at_the_same_time_happens_once() {
    let world = World::start().await;
    let founder = caller();
    let all = futures::future::join_all((0..6).map(|_| world.provision(&founder))).await;
    assert!(all.into_iter().all(|position| position.unwrap() == 2));
    let told = world.service.events().await;
    let created = told.iter().filter(|event| event.company_id == founder.company);
    assert_eq!(created.filter(|event| event.routing_key() == "iam.role.created").count(), ROLES.len());
    world.service.stop().await;
}

#[tokio::test]
async fn a_company_is_not_handed_to_another_first_user() {
    let world = World::start().await;
    let usurper = Caller { user: UserId::new(), ..world.admin.clone() };
    let refused = refusal(world.provision(&usurper).await);
    assert_eq!(refused, (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    assert!(world.held(usurper.user).await.is_empty());
    world.service.stop().await;
}

#[tokio::test]
async fn companies_share_no_role() {
    let world = World::start().await;
    let founder = caller();
    world.provision(&founder).await.unwrap();
    let theirs = world.roles_of(&founder).await;
    assert_eq!(theirs.len(), ROLES.len());
    assert!(theirs.values().all(|id| !world.roles.values().any(|ours| ours == id)));
    // A company that nobody provisioned has none.
    assert!(world.roles_of(&caller()).await.is_empty());
    world.service.stop().await;
}

#[tokio::test]
async fn roles_are_listed_in_pages_of_one_company() {
    let world = World::start().await;
    let mut client = world.of(&world.admin);
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let reply = client.list_roles(ListRolesRequest { page_size: 2, page_token }).await.unwrap().into_inner();
        assert!(reply.roles.len() <= 2);
        names.extend(reply.roles.into_iter().map(|role| role.name));
        page_token = reply.next_page_token;
        if page_token.is_empty() {
            break;
        }
        // The token leads nobody else anywhere.
        let stolen = ListRolesRequest { page_size: 2, page_token: page_token.clone() };
        let refused = refusal(world.of(&caller()).list_roles(stolen).await);
        assert_eq!(refused, (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned()));
    }
    assert_eq!(names, ROLES);
    let negative = ListRolesRequest { page_size: -1, page_token: String::new() };
    assert_eq!(wrong_fields(client.list_roles(negative).await), ["page_size"]);
    world.service.stop().await;
}

#[tokio::test]
async fn only_the_services_that_need_to_may_ask() {
    let world = World::start().await;
    let provision = ProvisionCompanyRequest {
        company_id: world.admin.company.to_string(),
        admin_user_id: UserId::new().to_string(),
    };
    for mut client in [world.fleet("task"), world.of(&world.admin)] {
        let refused = client.provision_company(provision.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let subject = GetSubjectRolesRequest::default();
    assert_eq!(world.fleet("user").get_subject_roles(subject).await.unwrap_err().code(), Code::PermissionDenied);
    world.service.stop().await;
}

#[tokio::test]
async fn what_is_no_id_is_named() {
    let world = World::start().await;
    let provision = ProvisionCompanyRequest { company_id: "x".into(), admin_user_id: String::new() };
    let wrong = wrong_fields(world.fleet("user").provision_company(provision).await);
    assert_eq!(wrong, ["company_id", "admin_user_id"]);
    let subject = GetSubjectRolesRequest { user_id: "x".into(), company_id: "y".into() };
    let wrong = wrong_fields(world.fleet("authentication").get_subject_roles(subject).await);
    assert_eq!(wrong, ["company_id", "user_id"]);
    world.service.stop().await;
}
