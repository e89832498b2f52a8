//! Users of a company.

use taskman_events::user::UserCreated;
use taskman_identity::Caller;
use taskman_ids::{UserId, new_uuid};
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_proto::user::{
    ActivateUserRequest, CreateUserRequest, DeactivateUserRequest, GetAssignableRequest, GetUserRequest,
    ListUsersRequest, RegisterCompanyRequest, User,
};
use taskman_testkit::{Calls, TestService, caller, caller_of, wait_until};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::fakes::{Others, start};

/// Signs a company up and returns its administrator.
async fn company(service: &TestService) -> Caller {
    let slug = format!("c{}", new_uuid().simple());
    let request = RegisterCompanyRequest {
        company_name: "Company".into(),
        email: format!("admin@{slug}.example.com"),
        slug,
        username: "admin".into(),
        password: "correct horse battery".into(),
        ..Default::default()
    };
    let reply = UserServiceClient::new(service.anybody()).register_company(request).await.unwrap().into_inner();
    let mut admin = caller_of(reply.company.unwrap().id.parse().unwrap());
    admin.user = reply.user.unwrap().id.parse().unwrap();
    admin
}

fn client(service: &TestService, caller: &Caller) -> UserServiceClient<Calls> {
    UserServiceClient::new(service.caller(caller))
}

fn named(username: &str) -> CreateUserRequest {
    CreateUserRequest {
        email: format!("{username}.{}@example.com", new_uuid().simple()),
        username: username.into(),
        ..Default::default()
    }
}

async fn create(service: &TestService, admin: &Caller, username: &str) -> User {
    client(service, admin).create_user(named(username)).await.unwrap().into_inner().user.unwrap()
}

#[tokio::test]
async fn a_new_user_gets_a_link_and_can_be_read() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let user = create(&service, &admin, "grace").await;
    assert!(user.active);
    let read = client(&service, &admin).get_user(GetUserRequest { id: user.id.clone() }).await.unwrap().into_inner();
    assert_eq!(read.user.unwrap(), user);

    let events = service.events().await;
    let created = events.last().unwrap().data::<UserCreated>().unwrap();
    let link = created.link_request_id.unwrap().to_string();
    assert_eq!(others.links.lock().unwrap().as_slice(), [link]);
    assert_eq!(events.last().unwrap().auth_id, Some(admin.user));
    service.stop().await;
}

#[tokio::test]
async fn another_companys_user_does_not_exist() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let user = create(&service, &admin, "grace").await;
    let mut stranger = client(&service, &caller());
    let refused = [
        stranger.get_user(GetUserRequest { id: user.id.clone() }).await.unwrap_err(),
        stranger.get_user(GetUserRequest { id: UserId::new().to_string() }).await.unwrap_err(),
        stranger.activate_user(ActivateUserRequest { id: user.id.clone(), ..Default::default() }).await.unwrap_err(),
        stranger
            .deactivate_user(DeactivateUserRequest { id: user.id.clone(), ..Default::default() })
            .await
            .unwrap_err(),
    ];
    for status in &refused {
        assert_eq!((status.code(), status.message()), (Code::NotFound, refused[0].message()));
    }
    assert!(stranger.list_users(ListUsersRequest::default()).await.unwrap().into_inner().users.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_username_is_taken_once_in_a_company_whatever_its_case() {
    let others = Others::default();
    let service = start(&others).await;
    let (admin, other) = (company(&service).await, company(&service).await);
    create(&service, &admin, "grace").await;
    create(&service, &other, "grace").await;
    let refused = client(&service, &admin).create_user(named("Grace")).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "USERNAME_TAKEN");
    service.stop().await;
}

#[tokio::test]
async fn bad_input_is_refused_with_every_violation() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let bad = CreateUserRequest {
        email: "nobody".into(),
        username: "a b".into(),
        department: "x".repeat(101),
        timezone: "Mars".repeat(20),
        locale: "?".into(),
        ..Default::default()
    };
    let refused = client(&service, &admin).create_user(bad).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let fields: Vec<String> =
        refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|found| found.field).collect();
    assert_eq!(fields, ["email", "username", "department", "timezone", "locale"]);
    for bad in ["", "me", "1"] {
        let refused = client(&service, &admin).get_user(GetUserRequest { id: bad.into() }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
    }
    let negative = ListUsersRequest { page_size: -1, ..Default::default() };
    assert_eq!(client(&service, &admin).list_users(negative).await.unwrap_err().code(), Code::InvalidArgument);
    service.stop().await;
}

#[tokio::test]
async fn a_repeated_creation_answers_the_same_and_another_request_is_refused() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let request = CreateUserRequest { request_id: new_uuid().to_string(), ..named("grace") };
    let mut client = client(&service, &admin);
    let first = client.create_user(request.clone()).await.unwrap().into_inner();
    let second = client.create_user(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, second);
    assert_eq!(others.links.lock().unwrap().len(), 1);
    let other = CreateUserRequest { username: "hopper".into(), ..request };
    let refused = client.create_user(other).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "IDEMPOTENCY_KEY_REUSED");
    service.stop().await;
}

#[tokio::test]
async fn pages_hold_every_user_once_newest_first() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let mut expected = vec![admin.user.to_string()];
    for index in 0..5 {
        service.clock().advance(chrono::TimeDelta::seconds(1));
        expected.insert(0, create(&service, &admin, &format!("user{index}")).await.id);
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListUsersRequest { page_size: 2, page_token: page_token.clone(), active: None };
        let page = client(&service, &admin).list_users(request).await.unwrap().into_inner();
        seen.extend(page.users.into_iter().map(|user| user.id));
        // Who comes while somebody reads on is on no later page.
        create(&service, &admin, &format!("late{}", seen.len())).await;
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    assert_eq!(seen, expected);
    let foreign = ListUsersRequest { page_size: 2, page_token, active: Some(true) };
    let refused = client(&service, &admin).list_users(foreign).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "PAGE_TOKEN_INVALID");
    service.stop().await;
}

#[tokio::test]
async fn deactivation_ends_the_sessions_and_counts_once() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let user = create(&service, &admin, "grace").await;
    let mut client = client(&service, &admin);
    let stale = DeactivateUserRequest { id: user.id.clone(), version: 7, ..Default::default() };
    let refused = client.deactivate_user(stale).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted);
    assert_eq!(refused.get_details_error_info().unwrap().metadata["current_version"], "1");

    let request =
        DeactivateUserRequest { id: user.id.clone(), version: 1, reason: "left".into(), ..Default::default() };
    let changed = client.deactivate_user(request).await.unwrap().into_inner().user.unwrap();
    assert!(!changed.active && changed.version == 2);
    // The job may have come in between and done the same.
    let revoked = others.revoked.lock().unwrap().clone();
    assert!(!revoked.is_empty() && revoked.iter().all(|id| *id == user.id), "{revoked:?}");
    let noted: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pending_revocations").fetch_one(service.pool()).await.unwrap();
    assert_eq!(noted, 0);
    let again = DeactivateUserRequest { id: user.id.clone(), ..Default::default() };
    assert_eq!(client.deactivate_user(again).await.unwrap().into_inner().user.unwrap().version, 2);
    let deactivations = service.events().await.iter().filter(|e| e.routing_key() == "user.deactivated").count();
    assert_eq!(deactivations, 1);

    let request = ActivateUserRequest { id: user.id.clone(), ..Default::default() };
    let back = client.activate_user(request).await.unwrap().into_inner().user.unwrap();
    assert!(back.active && back.version == 3);
    service.stop().await;
}

#[tokio::test]
async fn nobody_deactivates_themselves() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let request = DeactivateUserRequest { id: admin.user.to_string(), ..Default::default() };
    let refused = client(&service, &admin).deactivate_user(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "SELF_DEACTIVATION");
    service.stop().await;
}

#[tokio::test]
async fn sessions_end_later_when_the_authentication_service_is_away() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let user = create(&service, &admin, "grace").await;
    others.set_away(true);
    let request = DeactivateUserRequest { id: user.id.clone(), ..Default::default() };
    client(&service, &admin).deactivate_user(request).await.unwrap();
    assert!(others.revoked.lock().unwrap().is_empty());
    others.set_away(false);
    wait_until("the job to end the sessions", || async { !others.revoked.lock().unwrap().is_empty() }).await;
    service.stop().await;
}

#[tokio::test]
async fn only_active_users_of_the_company_can_be_assigned() {
    let others = Others::default();
    let service = start(&others).await;
    let (admin, other) = (company(&service).await, company(&service).await);
    let user = create(&service, &admin, "grace").await;
    let mut fleet = UserServiceClient::new(service.fleet("task"));
    let mut ask = async |company: &Caller| {
        let request = GetAssignableRequest { company_id: company.company.to_string(), user_id: user.id.clone() };
        let reply = fleet.get_assignable(request).await.unwrap().into_inner();
        (reply.exists, reply.active)
    };
    assert_eq!(ask(&admin).await, (true, true));
    assert_eq!(ask(&other).await, (false, false));
    let request = DeactivateUserRequest { id: user.id.clone(), ..Default::default() };
    client(&service, &admin).deactivate_user(request).await.unwrap();
    assert_eq!(ask(&admin).await, (true, false));
    service.stop().await;
}

#[tokio::test]
async fn fleet_methods_are_for_listed_services_only() {
    let others = Others::default();
    let service = start(&others).await;
    let admin = company(&service).await;
    let request = || GetAssignableRequest { company_id: admin.company.to_string(), user_id: admin.user.to_string() };
    let by_person = UserServiceClient::new(service.caller(&admin)).get_assignable(request()).await.unwrap_err();
    let by_audit = UserServiceClient::new(service.fleet("audit")).get_assignable(request()).await.unwrap_err();
    let by_nobody = UserServiceClient::new(service.direct()).get_assignable(request()).await.unwrap_err();
    for refused in [by_person, by_audit, by_nobody] {
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let without_token = UserServiceClient::new(service.direct()).list_users(ListUsersRequest::default()).await;
    assert_eq!(without_token.unwrap_err().code(), Code::Unauthenticated);
    service.stop().await;
}
