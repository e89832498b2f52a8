//! The stream that feeds decisions.

use std::time::Duration;

use chrono::TimeDelta;
use taskman_ids::UserId;
use taskman_proto::iam::change::What;
use taskman_proto::iam::watch_changes_response::Item;
use taskman_proto::iam::{Change, Effect, PolicyStatus, SubjectRoles, WatchChangesRequest, WatchChangesResponse};
use tonic::{Code, Streaming};

use crate::fixture::World;

type Stream = Streaming<WatchChangesResponse>;

async fn watch(world: &World, since: i64) -> Stream {
    world.fleet("authorization").watch_changes(WatchChangesRequest { since }).await.unwrap().into_inner()
}

async fn next(stream: &mut Stream) -> Item {
    let message = tokio::time::timeout(Duration::from_secs(20), stream.message()).await.expect("the stream is alive");
    message.unwrap().expect("the stream goes on").item.unwrap()
}

/// Skips heartbeats.
async fn next_change(stream: &mut Stream) -> Change {
    loop {
        if let Item::Change(change) = next(stream).await {
            return change;
        }
    }
}

/// Commits changes as another replica does, which can wake nobody here.
async fn commit_elsewhere(world: &World, changes: i32) {
    sqlx::query(
        "WITH head AS (UPDATE iam_position SET position = position + $3 RETURNING position - $3 AS past)
         INSERT INTO iam_changes (position, company_id, changed_at, state)
         SELECT past + n, $1, now(), jsonb_build_object('subject', jsonb_build_object('user_id', $2, 'roles', '[]'::jsonb))
         FROM head, generate_series(1, $3) AS n",
    )
    .bind(world.admin.company)
    .bind(UserId::new())
    .bind(changes)
    .execute(world.service.pool())
    .await
    .unwrap();
}

fn subject(change: Change) -> SubjectRoles {
    match change.what {
        Some(What::SubjectRoles(subject)) => subject,
        other => panic!("not what a user holds: {other:?}"),
    }
}

#[tokio::test]
async fn a_new_company_is_one_change_with_everything_in_it() {
    let world = World::start().await;
    let mut stream = watch(&world, 0).await;
    assert!(matches!(next(&mut stream).await, Item::Heartbeat(beat) if beat.head == 1));
    let change = next_change(&mut stream).await;
    assert_eq!((change.position, change.company_id.as_str()), (1, world.admin.company.to_string().as_str()));
    let Some(What::Company(company)) = change.what else { panic!("not a company") };

    let mut names: Vec<_> = company.roles.iter().map(|role| role.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["admin", "developer", "everyone", "project_manager", "team_lead", "viewer"]);
    for role in &company.roles {
        assert_eq!(role.policy_ids.is_empty(), role.name == "everyone", "{}", role.name);
        assert!(role.policy_ids.iter().all(|id| company.policies.iter().any(|policy| policy.id == *id)));
    }
    for policy in &company.policies {
        assert_eq!((policy.effect(), policy.status()), (Effect::Allow, PolicyStatus::Active), "{}", policy.name);
        assert!(company.roles.iter().any(|role| role.policy_ids.contains(&policy.id)), "{}", policy.name);
    }
    assert_eq!(company.policies.iter().filter(|policy| !policy.condition.is_empty()).count(), 1);
    let [holder] = company.subjects.try_into().unwrap();
    assert_eq!(holder.user_id, world.admin.user.to_string());
    let [held] = holder.roles.try_into().unwrap();
    assert_eq!((&held.role_id, held.expires_at), (&world.roles["admin"], None));
    world.service.stop().await;
}

#[tokio::test]
async fn a_change_leaves_all_that_the_user_holds() {
    let world = World::start().await;
    let user = UserId::new();
    let mut stream = watch(&world, 1).await;
    world.assign(&world.admin, user, "viewer").await.unwrap();
    let limited = world.assign_for(user, "developer", TimeDelta::hours(1)).await.unwrap();
    world.revoke(&world.admin, user, "viewer").await.unwrap();
    let mut held = Vec::new();
    for position in 2..=4 {
        let change = next_change(&mut stream).await;
        assert_eq!(change.position, position);
        let subject = subject(change);
        assert_eq!(subject.user_id, user.to_string());
        held.push(subject.roles.into_iter().map(|role| (role.role_id, role.expires_at)).collect::<Vec<_>>());
    }
    let viewer = (world.roles["viewer"].clone(), None);
    let developer = (world.roles["developer"].clone(), limited.user_role.unwrap().expires_at);
    assert_eq!(held, [vec![viewer.clone()], vec![developer.clone(), viewer], vec![developer]]);
    world.service.stop().await;
}

#[tokio::test]
async fn a_change_has_more_roles_than_are_shown() {
    let world = World::start().await;
    let user = UserId::new();
    sqlx::query(
        "WITH made AS (INSERT INTO roles (company_id, id, name, created_at)
                       SELECT $1, gen_random_uuid(), 'role-' || n, now() FROM generate_series(1, 120) AS n
                       RETURNING id)
         INSERT INTO user_roles (company_id, user_id, role_id, assigned_at) SELECT $1, $2, id, now() FROM made",
    )
    .bind(world.admin.company)
    .bind(user)
    .execute(world.service.pool())
    .await
    .unwrap();
    let mut stream = watch(&world, 1).await;
    world.assign(&world.admin, user, "viewer").await.unwrap();
    assert_eq!(subject(next_change(&mut stream).await).roles.len(), 121);
    assert_eq!(world.held(user).await.len(), 100);
    world.service.stop().await;
}

#[tokio::test]
async fn concurrent_changes_come_without_gaps_and_in_the_order_of_their_commits() {
    let world = World::start().await;
    let mut live = watch(&world, 0).await;
    let users: Vec<_> = (0..10).map(|_| UserId::new()).collect();
    // Within one company they wait for its row, over companies for the counter.
    let other = taskman_testkit::caller();
    let (positions, provisioned) = tokio::join!(
        futures::future::join_all(users.iter().map(|user| world.assign(&world.admin, *user, "viewer"))),
        world.provision(&other)
    );
    let positions: Vec<_> = positions.into_iter().map(|reply| reply.unwrap().position).collect();
    let provisioned = provisioned.unwrap();
    for expected in 1..=12 {
        let change = next_change(&mut live).await;
        assert_eq!(change.position, expected);
        if expected == provisioned {
            assert_eq!(change.company_id, other.company.to_string());
        } else if expected > 1 {
            let user = users[positions.iter().position(|position| *position == expected).unwrap()];
            assert_eq!(subject(change).user_id, user.to_string());
        }
    }
    let mut resumed = watch(&world, 7).await;
    assert_eq!(next_change(&mut resumed).await.position, 8);
    world.service.stop().await;
}

#[tokio::test]
async fn a_long_past_is_streamed_to_its_end() {
    let world = World::start().await;
    // Three batches and a bit.
    commit_elsewhere(&world, 649).await;
    let mut stream = watch(&world, 0).await;
    for expected in 1..=650 {
        assert_eq!(next_change(&mut stream).await.position, expected);
    }
    world.service.stop().await;
}

#[tokio::test]
async fn what_another_replica_commits_is_streamed_as_well() {
    let world = World::start().await;
    let mut stream = watch(&world, 1).await;
    assert!(matches!(next(&mut stream).await, Item::Heartbeat(_)));
    commit_elsewhere(&world, 2).await;
    assert_eq!(next_change(&mut stream).await.position, 2);
    assert_eq!(next_change(&mut stream).await.position, 3);
    world.service.stop().await;
}

#[tokio::test]
async fn the_stream_says_that_it_is_alive_and_how_far_it_is() {
    let world = World::start().await;
    let mut stream = watch(&world, 1).await;
    for _ in 0..3 {
        assert!(matches!(next(&mut stream).await, Item::Heartbeat(beat) if beat.head == 1));
    }
    world.assign(&world.admin, UserId::new(), "viewer").await.unwrap();
    assert_eq!(next_change(&mut stream).await.position, 2);
    assert!(matches!(next(&mut stream).await, Item::Heartbeat(beat) if beat.head == 2));
    world.service.stop().await;
}

#[tokio::test]
async fn the_stream_ends_when_the_service_stops() {
    let world = World::start().await;
    let mut stream = watch(&world, 1).await;
    next(&mut stream).await;
    let end = async { while let Ok(Some(_)) = stream.message().await {} };
    let (_, ended) = tokio::join!(world.service.stop(), tokio::time::timeout(Duration::from_secs(20), end));
    ended.expect("the stream ended");
}

#[tokio::test]
async fn only_authorization_may_watch() {
    let world = World::start().await;
    let request = WatchChangesRequest { since: 0 };
    let refused = world.fleet("task").watch_changes(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    world.service.stop().await;
}
