//! Decisions from what the streams have brought.

use chrono::TimeDelta;
use taskman_clock::Clock as _;
use taskman_ids::{CompanyId, UserId};
use taskman_proto::authorization::{DecideBatchRequest, Outcome, Question};
use taskman_proto::iam::{self, change::What};
use taskman_proto::user::{CompanyStatus, Subject};

use crate::world::{World, allow, change, subject, subject_change, timestamp};

#[tokio::test]
async fn a_role_allows_what_its_policies_allow_and_nothing_else() {
    let world = World::start().await;
    let viewer = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let (with, without) = (world.user(&[viewer]), world.user(&[]));
    assert_eq!(world.decide_now(with, "tasks:view", "tasks/1").await, Outcome::Allow);
    assert_eq!(world.decide_now(with, "tasks:view", "tasks").await, Outcome::Allow);
    assert_eq!(world.decide_now(with, "tasks:edit", "tasks/1").await, Outcome::Deny);
    assert_eq!(world.decide_now(with, "tasks:view", "projects/1").await, Outcome::Deny);
    assert_eq!(world.decide_now(without, "tasks:view", "tasks/1").await, Outcome::Deny);
    world.service.stop().await;
}

#[tokio::test]
async fn a_denying_policy_of_everyone_wins_and_goes_with_its_deletion() {
    let world = World::start().await;
    let admin = world.role("admin", &[allow(&["*"], &["*"])]);
    let user = world.user(&[admin]);
    let guard = iam::PolicyState { effect: iam::Effect::Deny.into(), ..allow(&["tasks:*"], &["tasks/**"]) };
    world.role("everyone", std::slice::from_ref(&guard));
    assert_eq!(world.decide_now(user, "tasks:edit", "tasks/1").await, Outcome::Deny);
    assert_eq!(world.decide_now(user, "users:view", "users").await, Outcome::Allow);
    world.iam.0.push(change(world.company, What::DeletedPolicyId(guard.id)));
    assert_eq!(world.decide_now(user, "tasks:edit", "tasks/1").await, Outcome::Allow);
    world.iam.0.push(change(world.company, What::DeletedRoleId(admin.to_string())));
    assert_eq!(world.decide_now(user, "tasks:edit", "tasks/1").await, Outcome::Deny);
    world.service.stop().await;
}

#[tokio::test]
async fn every_resource_must_be_allowed() {
    let world = World::start().await;
    let role = world.role("some", &[allow(&["tasks:edit"], &["tasks/1", "tasks/2"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:edit", "tasks/2").await, Outcome::Allow);
    let both = world.ask(world.question(user, "tasks:edit", &["tasks/1", "tasks/2"])).await.unwrap();
    assert_eq!(both.outcome(), Outcome::Allow);
    let one_too_many = world.ask(world.question(user, "tasks:edit", &["tasks/1", "tasks/3", "tasks/4"])).await.unwrap();
    assert_eq!((one_too_many.outcome(), one_too_many.reasons), (Outcome::Deny, vec!["DEFAULT_DENY".to_owned()]));
    world.service.stop().await;
}

#[tokio::test]
async fn a_batch_is_answered_in_order() {
    let world = World::start().await;
    let role = world.role("some", &[allow(&["tasks:view"], &["tasks/1", "tasks/3"])]);
    let user = world.user(&[role]);
    let question = |number: usize| Question { action: "tasks:view".to_owned(), resource: format!("tasks/{number}") };
    let request = DecideBatchRequest {
        user_id: user.to_string(),
        company_id: world.company.to_string(),
        questions: (1..=200).map(question).collect(),
        at_least_position: Some(world.head()),
    };
    let answer = world.client().decide_batch(request.clone()).await.unwrap().into_inner();
    let allowed: Vec<usize> = (1..)
        .zip(answer.outcomes())
        .filter(|(_, outcome)| *outcome == Outcome::Allow)
        .map(|(number, _)| number)
        .collect();
    assert_eq!((answer.outcomes.len(), allowed), (200, vec![1, 3]));

    let none = DecideBatchRequest { questions: Vec::new(), ..request };
    assert_eq!(world.client().decide_batch(none).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    world.service.stop().await;
}

#[tokio::test]
async fn a_role_ends_by_itself_at_its_time() {
    let world = World::start().await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[]);
    let end = world.service.clock().now() + TimeDelta::hours(1);
    let held = iam::HeldRole { role_id: role.to_string(), expires_at: Some(timestamp(end)) };
    let roles = iam::SubjectRoles { user_id: user.to_string(), roles: vec![held] };
    world.iam.0.push(change(world.company, What::SubjectRoles(roles)));
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    world.service.clock().advance(TimeDelta::hours(1));
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    world.service.stop().await;
}

#[tokio::test]
async fn who_is_deactivated_or_of_a_suspended_company_may_nothing() {
    let world = World::start().await;
    let admin = world.role("admin", &[allow(&["*"], &["*"])]);
    let user = world.user(&[admin]);
    let now = subject(world.company, user);
    world.users.feed.push(subject_change(Subject { active: false, ..now.clone() }));
    let denied = world.ask(at_head(&world, user)).await.unwrap();
    assert_eq!((denied.outcome(), denied.reasons), (Outcome::Deny, vec!["SUBJECT_INACTIVE".to_owned()]));
    let suspended = Subject { company_status: CompanyStatus::Suspended.into(), ..now.clone() };
    world.users.feed.push(subject_change(suspended));
    let denied = world.ask(at_head(&world, user)).await.unwrap();
    assert_eq!((denied.outcome(), denied.reasons), (Outcome::Deny, vec!["COMPANY_INACTIVE".to_owned()]));
    // The opening of a company may be a moment behind its first token.
    let provisioning = Subject { company_status: CompanyStatus::Provisioning.into(), ..now };
    world.users.feed.push(subject_change(provisioning));
    assert_eq!(world.ask(at_head(&world, user)).await.unwrap().outcome(), Outcome::Allow);
    world.service.stop().await;
}

fn at_head(world: &World, user: UserId) -> taskman_proto::authorization::DecideRequest {
    let mut request = world.question(user, "tasks:view", &["tasks"]);
    request.at_least_position = Some(world.head());
    request
}

#[tokio::test]
async fn nothing_of_another_company_counts() {
    let world = World::start().await;
    let admin = world.role("admin", &[allow(&["*"], &["*"])]);
    let user = world.user(&[admin]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);

    // Another company gives its role to our user, and uses the ids of our role.
    let other = CompanyId::new();
    world.iam.0.push(change(other, What::Company(iam::CompanyState::default())));
    let stranger = UserId::new();
    world.users.feed.push(subject_change(subject(other, stranger)));
    let held = iam::HeldRole { role_id: admin.to_string(), expires_at: None };
    for user in [user, stranger] {
        let roles = iam::SubjectRoles { user_id: user.to_string(), roles: vec![held.clone()] };
        world.iam.0.push(change(other, What::SubjectRoles(roles)));
    }
    let mut as_stranger = world.question(stranger, "tasks:view", &["tasks"]);
    as_stranger.at_least_position = Some(world.head());
    let mismatch = world.ask(as_stranger.clone()).await.unwrap();
    assert_eq!((mismatch.outcome(), mismatch.reasons), (Outcome::Deny, vec!["COMPANY_MISMATCH".to_owned()]));
    as_stranger.company_id = other.to_string();
    assert_eq!(world.ask(as_stranger).await.unwrap().outcome(), Outcome::Deny, "a role of another company is not held");

    // A token of another company does not make its holder one of that company.
    let mut elsewhere = world.question(user, "tasks:view", &["tasks"]);
    elsewhere.company_id = other.to_string();
    assert_eq!(world.ask(elsewhere).await.unwrap().outcome(), Outcome::Deny);
    world.iam.0.push(change(other, What::DeletedRoleId(admin.to_string())));
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    world.service.stop().await;
}

#[tokio::test]
async fn a_malformed_question_is_neither_allowed_nor_denied() {
    use tonic_types::StatusExt as _;
    let world = World::start().await;
    let mut request = world.question(UserId::new(), "tasks:*", &["tasks/1", "tasks/../users"]);
    request.user_id = "somebody".to_owned();
    request.company_id = String::new();
    let status = world.ask(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let fields: Vec<String> =
        status.get_details_bad_request().unwrap().field_violations.into_iter().map(|found| found.field).collect();
    assert_eq!(fields, ["user_id", "company_id", "action", "resources[1]"]);
    let many = vec!["tasks/1"; 101];
    for resources in [&[][..], &many] {
        let status = world.ask(world.question(UserId::new(), "tasks:view", resources)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
    }
    world.service.stop().await;
}

#[tokio::test]
async fn only_services_decide_for_others() {
    use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
    let world = World::start().await;
    let request = world.question(UserId::new(), "tasks:view", &["tasks"]);
    let person = world.service.caller(&taskman_testkit::caller_of(world.company));
    let status = AuthorizationServiceClient::new(person).decide(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    world.service.stop().await;
}
