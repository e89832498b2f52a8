//! Roles for a time.

use chrono::TimeDelta;
use taskman_events::iam::RoleAssigned;
use taskman_ids::UserId;
use taskman_testkit::wait_until;
use tonic::Code;

use crate::fixture::{World, refusal};

const HOUR: TimeDelta = TimeDelta::hours(1);

#[tokio::test]
async fn a_role_is_held_until_its_end_and_its_end_is_told_once() {
    let world = World::start().await;
    let user = UserId::new();
    world.assign_for(user, "viewer", HOUR).await.unwrap();
    world.assign(&world.admin, user, "developer").await.unwrap();
    world.service.clock().advance(HOUR - TimeDelta::microseconds(1));
    assert_eq!(world.names(world.admin.company, user).await.0, ["developer", "viewer"]);

    // At the very moment, whether the job was there or not.
    world.service.clock().advance(TimeDelta::microseconds(1));
    assert_eq!(world.names(world.admin.company, user).await.0, ["developer"]);
    assert_eq!(world.held(user).await.len(), 1);
    assert_eq!(refusal(world.revoke(&world.admin, user, "viewer").await).0, Code::NotFound);

    wait_until("the end to be told", || async { world.told().await.len() == 3 }).await;
    assert_eq!(world.told().await[2], "iam.role.expired");
    let (_, position) = world.names(world.admin.company, user).await;
    assert_eq!(position, 4);
    let expired = &world.events().await[2];
    assert_eq!(expired.data["user_id"], user.to_string());
    assert_eq!(expired.data["role_name"], "viewer");
    assert_eq!(expired.auth_type, "system");
    world.service.stop().await;
}

#[tokio::test]
async fn a_new_end_is_told_and_leaves_the_assignment_as_it_was() {
    let world = World::start().await;
    let user = UserId::new();
    let first = world.assign(&world.admin, user, "viewer").await.unwrap().user_role.unwrap();
    world.service.clock().advance(HOUR);
    let limited = world.assign_for(user, "viewer", HOUR).await.unwrap();
    assert_eq!(limited.position, 3);
    let limited = limited.user_role.unwrap();
    assert_eq!(limited.assigned_at, first.assigned_at);
    assert!(limited.expires_at.is_some());
    // The same end again is nothing new.
    assert_eq!(world.assign_for(user, "viewer", HOUR).await.unwrap().position, 3);
    let told: Vec<RoleAssigned> = world.events().await.iter().map(|event| event.data().unwrap()).collect();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].expires_at.is_some(), told[1].expires_at.is_some()), (false, true));
    world.service.stop().await;
}

#[tokio::test]
async fn a_role_that_has_ended_can_be_given_again() {
    // The job does not come in between.
    let world = World::start_with(|config| config.service.expire_roles_every_ms = 3_600_000).await;
    let user = UserId::new();
    world.assign_for(user, "viewer", HOUR).await.unwrap();
    world.service.clock().advance(HOUR);
    let again = world.assign(&world.admin, user, "viewer").await.unwrap().user_role.unwrap();
    assert_eq!(again.expires_at, None);
    assert_eq!(world.held(user).await, [again]);
    assert_eq!(world.told().await, ["iam.role.assigned", "iam.role.expired", "iam.role.assigned"]);
    world.service.stop().await;
}
