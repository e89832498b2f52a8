//! Nobody gives away what they do not hold.

use chrono::TimeDelta;
use taskman_ids::UserId;
use taskman_testkit::caller_of;
use tonic::Code;

use crate::fixture::{World, refusal};

/// Says which roles a holder of `role` may give.
async fn may_give(world: &World, role: &str) -> Vec<String> {
    let grantor = world.colleague(role).await;
    let mut given = Vec::new();
    for role in world.roles.keys() {
        match world.assign(&grantor, UserId::new(), role).await {
            Ok(_) => given.push(role.clone()),
            refused => assert_eq!(refusal(refused), (Code::PermissionDenied, "ESCALATION".to_owned()), "{role}"),
        }
    }
    given
}

#[tokio::test]
async fn a_role_is_given_by_those_who_hold_all_that_it_grants() {
    let world = World::start().await;
    for (role, expected) in [
        ("admin", &["admin", "developer", "project_manager", "team_lead", "viewer"][..]),
        ("project_manager", &["developer", "project_manager", "team_lead", "viewer"]),
        ("team_lead", &["developer", "team_lead", "viewer"]),
        // What a developer may only do with own tasks is no grant to give away.
        ("developer", &["viewer"]),
        ("viewer", &["viewer"]),
    ] {
        assert_eq!(may_give(&world, role).await, expected, "{role}");
    }
    world.service.stop().await;
}

#[tokio::test]
async fn one_without_roles_gives_nothing() {
    let world = World::start().await;
    let nobody = caller_of(world.admin.company);
    let refused = refusal(world.assign(&nobody, nobody.user, "admin").await);
    assert_eq!(refused, (Code::PermissionDenied, "ESCALATION".to_owned()));
    assert!(world.held(nobody.user).await.is_empty());
    world.service.stop().await;
}

#[tokio::test]
async fn what_has_ended_or_belongs_to_another_company_is_not_held() {
    let world = World::start().await;
    let (was, stranger) = (caller_of(world.admin.company), taskman_testkit::caller());
    world.assign_for(was.user, "admin", TimeDelta::minutes(1)).await.unwrap();
    world.provision(&stranger).await.unwrap();
    world.service.clock().advance(TimeDelta::minutes(1));
    // The administrator of another company, with the id of this one in the token of nobody.
    let stranger = taskman_identity::Caller { company: world.admin.company, ..stranger };
    for grantor in [was, stranger] {
        let refused = refusal(world.assign(&grantor, UserId::new(), "viewer").await);
        assert_eq!(refused, (Code::PermissionDenied, "ESCALATION".to_owned()));
    }
    world.service.stop().await;
}
