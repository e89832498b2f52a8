//! Check: what people ask about others of their company.

use std::collections::HashMap;

use taskman_ids::{CompanyId, UserId};
use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
use taskman_proto::authorization::{AtLeastPosition, CheckRequest, CheckResponse};
use taskman_testkit::caller_of;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::world::{World, allow, allow_where, subject, subject_change};

fn question(user: UserId, action: &str, resource: &str) -> CheckRequest {
    CheckRequest {
        subject: format!("user:{user}"),
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: HashMap::new(),
        at_least_position: None,
    }
}

async fn check(world: &World, request: CheckRequest) -> Result<CheckResponse, Status> {
    let caller = world.service.caller(&caller_of(world.company));
    Ok(AuthorizationServiceClient::new(caller).check(request).await?.into_inner())
}

#[tokio::test]
async fn the_answer_names_the_policy_the_role_and_what_it_has_seen() {
    let world = World::start().await;
    let policy = allow(&["tasks:view"], &["tasks/**"]);
    let role = world.role("viewer", std::slice::from_ref(&policy));
    let user = world.user(&[role]);
    let mut request = question(user, "tasks:view", "tasks/1");
    request.at_least_position = Some(world.head());
    let answer = check(&world, request).await.unwrap();
    assert!(answer.allowed);
    assert_eq!(answer.reasons, [format!("ALLOW policy={}@1 role=viewer", policy.id)]);
    assert_eq!(answer.policy_ids, [policy.id]);
    assert_eq!(answer.position, Some(world.head()));
    taskman_ids::DecisionId::parse(&answer.decision_id).unwrap();

    let denied = check(&world, question(user, "tasks:edit", "tasks/1")).await.unwrap();
    assert_eq!((denied.allowed, denied.reasons), (false, vec!["DEFAULT_DENY".to_owned()]));
    world.service.stop().await;
}

#[tokio::test]
async fn the_context_is_a_root_of_its_own() {
    let world = World::start().await;
    let office = allow_where(&["tasks:view"], &["tasks"], "context.network == 'office'");
    let engineers = allow_where(&["tasks:edit"], &["tasks"], "subject.department == 'sales'");
    let role = world.role("some", &[office, engineers]);
    let user = world.user(&[role]);
    let mut request = question(user, "tasks:view", "tasks");
    request.at_least_position = Some(world.head());
    assert!(!check(&world, request.clone()).await.unwrap().allowed);
    request.context = [("network".to_owned(), "office".to_owned())].into();
    assert!(check(&world, request).await.unwrap().allowed);
    let mut posing = question(user, "tasks:edit", "tasks");
    for name in ["subject.department", "department", "subject"] {
        posing.context.insert(name.to_owned(), "sales".to_owned());
    }
    assert!(!check(&world, posing).await.unwrap().allowed);
    world.service.stop().await;
}

#[tokio::test]
async fn a_user_of_another_company_and_one_that_does_not_exist_look_the_same() {
    let world = World::start().await;
    let stranger = UserId::new();
    let position = world.users.feed.push(subject_change(subject(CompanyId::new(), stranger)));
    for user in [stranger, UserId::new()] {
        let mut request = question(user, "tasks:view", "tasks");
        request.at_least_position = Some(AtLeastPosition { iam: 0, user: position });
        let answer = check(&world, request).await.unwrap();
        assert_eq!((answer.allowed, answer.reasons), (false, vec!["COMPANY_MISMATCH".to_owned()]));
    }
    world.service.stop().await;
}

#[tokio::test]
async fn a_context_has_bounds() {
    let world = World::start().await;
    let user = world.user(&[]);
    let ask = async |context: HashMap<String, String>| {
        let mut request = question(user, "tasks:view", "tasks");
        request.at_least_position = Some(world.head());
        request.context = context;
        check(&world, request).await
    };
    let entries = |number: usize, key: usize, value: usize| -> HashMap<String, String> {
        (0..number).map(|number| (format!("{number:0>key$}"), "x".repeat(value))).collect()
    };
    ask(entries(14, 100, 1_024)).await.unwrap();
    for wrong in [entries(1, 101, 1), entries(1, 1, 1_025), entries(17, 10, 1_000)] {
        let found = ask(wrong).await.unwrap_err().get_details_bad_request().unwrap().field_violations;
        assert_eq!(found.iter().map(|found| found.field.as_str()).collect::<Vec<_>>(), ["context"], "{found:?}");
    }
    world.service.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let world = World::start().await;
    let request = CheckRequest {
        subject: "group:1".to_owned(),
        action: "Tasks".to_owned(),
        resource: "tasks//1".to_owned(),
        context: (0..51).map(|number| (number.to_string(), String::new())).collect(),
        at_least_position: Some(AtLeastPosition { iam: -1, user: 0 }),
    };
    let status = check(&world, request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let fields: Vec<String> =
        status.get_details_bad_request().unwrap().field_violations.into_iter().map(|found| found.field).collect();
    assert_eq!(fields, ["subject", "action", "resource", "context", "at_least_position"]);
    world.service.stop().await;
}
