//! Giving and taking roles.

use taskman_events::iam::{RoleAssigned, RoleRevoked};
use taskman_ids::{RoleId, UserId, new_uuid};
use taskman_proto::iam::{AssignRoleRequest, ListUserRolesRequest, RevokeRoleRequest};
use taskman_testkit::caller;
use tonic::Code;

use crate::fixture::{World, refusal, timestamp, wrong_fields};

fn not_found() -> (Code, String) {
    (Code::NotFound, "NOT_FOUND".to_owned())
}

#[tokio::test]
async fn a_role_is_given_told_of_and_taken() {
    let world = World::start().await;
    let user = UserId::new();
    let reply = world.assign(&world.admin, user, "team_lead").await.unwrap();
    let given = reply.user_role.unwrap();
    assert_eq!((given.role.clone().unwrap().name.as_str(), reply.position), ("team_lead", 2));
    assert_eq!(given.assigned_by, world.admin.user.to_string());
    assert_eq!(world.held(user).await, [given]);
    assert_eq!(world.names(world.admin.company, user).await, (vec!["team_lead".to_owned()], 2));

    let reply = world.revoke(&world.admin, user, "team_lead").await.unwrap();
    assert_eq!(reply.position, 3);
    assert!(world.held(user).await.is_empty());
    assert_eq!(world.names(world.admin.company, user).await, (Vec::new(), 3));

    let events = world.events().await;
    assert_eq!(world.told().await, ["iam.role.assigned", "iam.role.revoked"]);
    let assigned: RoleAssigned = events[0].data().unwrap();
    assert_eq!((assigned.user_id, assigned.by), (user, Some(world.admin.user)));
    assert_eq!((assigned.role_name.as_str(), assigned.expires_at), ("team_lead", None));
    let revoked: RoleRevoked = events[1].data().unwrap();
    assert_eq!((revoked.user_id, revoked.role_id, revoked.by), (user, assigned.role_id, Some(world.admin.user)));
    assert!(events.iter().all(|event| event.auth_id == Some(world.admin.user)));
    world.service.stop().await;
}

#[tokio::test]
async fn roles_are_shown_by_name() {
    let world = World::start().await;
    let user = UserId::new();
    for role in ["viewer", "developer", "team_lead"] {
        world.assign(&world.admin, user, role).await.unwrap();
    }
    let names: Vec<_> = world.held(user).await.into_iter().map(|held| held.role.unwrap().name).collect();
    assert_eq!(names, ["developer", "team_lead", "viewer"]);
    assert_eq!(world.names(world.admin.company, user).await.0, names);
    world.service.stop().await;
}

#[tokio::test]
async fn a_role_that_is_held_already_is_not_given_again() {
    let world = World::start().await;
    let user = UserId::new();
    let first = world.assign(&world.admin, user, "viewer").await.unwrap();
    world.assign(&world.admin, user, "developer").await.unwrap();
    let again = world.assign(&world.admin, user, "viewer").await.unwrap();
    assert_eq!(again.user_role, first.user_role);
    // A position at which the assignment is certainly there, and no new one.
    assert_eq!(again.position, 3);
    assert_eq!(world.told().await.len(), 2);
    world.service.stop().await;
}

#[tokio::test]
async fn another_company_has_neither_this_role_nor_this_user() {
    let world = World::start().await;
    let user = world.colleague("viewer").await.user;
    let stranger = caller();
    world.provision(&stranger).await.unwrap();
    assert_eq!(refusal(world.assign(&stranger, user, "viewer").await), not_found());
    assert_eq!(refusal(world.revoke(&stranger, user, "viewer").await), not_found());
    let request = ListUserRolesRequest { user_id: user.to_string() };
    assert!(world.of(&stranger).list_user_roles(request).await.unwrap().into_inner().roles.is_empty());
    assert!(world.names(stranger.company, user).await.0.is_empty());
    assert_eq!(world.names(world.admin.company, user).await.0, ["viewer"]);
    world.service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    let user = UserId::new();
    let unknown = AssignRoleRequest { role_id: RoleId::new().to_string(), ..world.request(user, "viewer") };
    assert_eq!(refusal(world.of(&world.admin).assign_role_to_user(unknown).await), not_found());
    assert_eq!(refusal(world.revoke(&world.admin, user, "viewer").await), not_found());
    // A company that was never provisioned.
    assert_eq!(refusal(world.assign(&caller(), user, "viewer").await), not_found());
    assert!(world.told().await.is_empty());
    world.service.stop().await;
}

#[tokio::test]
async fn nobody_is_given_the_role_that_everybody_has() {
    let world = World::start().await;
    let everyone: RoleId = sqlx::query_scalar("SELECT id FROM roles WHERE company_id = $1 AND name = 'everyone'")
        .bind(world.admin.company)
        .fetch_one(world.service.pool())
        .await
        .unwrap();
    let request = AssignRoleRequest { role_id: everyone.to_string(), ..world.request(UserId::new(), "viewer") };
    assert_eq!(refusal(world.of(&world.admin).assign_role_to_user(request).await), not_found());
    world.service.stop().await;
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let world = World::start().await;
    let past = timestamp(world.admin.issued_at - chrono::TimeDelta::days(1));
    let request = AssignRoleRequest {
        user_id: "x".into(),
        role_id: world.roles["viewer"].clone(),
        expires_at: Some(past),
        request_id: "y".into(),
    };
    let mut client = world.of(&world.admin);
    assert_eq!(wrong_fields(client.assign_role_to_user(request).await), ["user_id", "expires_at", "request_id"]);
    for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (253_402_300_800, 0), (4_102_444_800, -1)] {
        let expires_at = Some(prost_types::Timestamp { seconds, nanos });
        let request = AssignRoleRequest { expires_at, ..world.request(UserId::new(), "viewer") };
        assert_eq!(wrong_fields(client.assign_role_to_user(request).await), ["expires_at"], "{seconds} {nanos}");
    }
    let request =
        RevokeRoleRequest { user_id: "x".into(), role_id: world.roles["viewer"].clone(), request_id: "y".into() };
    assert_eq!(wrong_fields(client.revoke_role_from_user(request).await), ["user_id", "request_id"]);
    let request = ListUserRolesRequest { user_id: "x".into() };
    assert_eq!(wrong_fields(client.list_user_roles(request).await), ["user_id"]);
    world.service.stop().await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_reply_and_acts_once() {
    let world = World::start().await;
    let (user, request_id) = (UserId::new(), new_uuid().to_string());
    let mut client = world.of(&world.admin);
    let assign = AssignRoleRequest { request_id: request_id.clone(), ..world.request(user, "viewer") };
    let first = client.assign_role_to_user(assign.clone()).await.unwrap().into_inner();
    let revoke = RevokeRoleRequest {
        user_id: user.to_string(),
        role_id: world.roles["viewer"].clone(),
        request_id: request_id.clone(),
    };
    let revoked = client.revoke_role_from_user(revoke.clone()).await.unwrap().into_inner();
    // The replies are those of the first time, and what happened since stays.
    assert_eq!(client.assign_role_to_user(assign.clone()).await.unwrap().into_inner(), first);
    assert_eq!(client.revoke_role_from_user(revoke).await.unwrap().into_inner(), revoked);
    assert!(world.held(user).await.is_empty());
    assert_eq!(world.told().await.len(), 2);

    let other = AssignRoleRequest { role_id: world.roles["developer"].clone(), ..assign };
    let refused = refusal(client.assign_role_to_user(other).await);
    assert_eq!(refused, (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    world.service.stop().await;
}
