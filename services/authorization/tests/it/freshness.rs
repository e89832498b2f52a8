//! How fast a change bites, and that nothing is decided on facts that are too old.

use taskman_ids::{CompanyId, UserId};
use taskman_proto::authorization::{AtLeastPosition, Outcome};
use taskman_proto::iam::{self, change::What};
use taskman_testkit::wait_until;

use crate::world::{World, allow, assert_unavailable, change, held, subject, subject_change};

#[tokio::test]
async fn a_revocation_bites_without_being_asked_for() {
    let world = World::start().await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    world.hold(user, &[]);
    let denied = || async { world.decide(user, "tasks:view", "tasks").await.unwrap() == Outcome::Deny };
    wait_until("the revocation to bite", denied).await;
    world.service.stop().await;
}

#[tokio::test]
async fn old_facts_decide_reads_longer_than_changes_and_iam_the_shortest() {
    // The first is too old soon, the others never: so the test does not race against the time between two bounds.
    let (world, user) = admin_with_bounds(150, 600_000).await;
    world.users.feed.mute(true);
    let iam = || async { world.decide(user, "iam:roles:view", "roles").await.is_err() };
    wait_until("decisions about IAM to stop", iam).await;
    assert_unavailable(world.decide(user, "iam:roles:view", "roles").await, "STALE_SNAPSHOT");
    assert_eq!(world.decide(user, "tasks:edit", "tasks/1").await.unwrap(), Outcome::Allow);
    assert_eq!(world.decide(user, "tasks:view", "tasks").await.unwrap(), Outcome::Allow);
    world.users.feed.mute(false);
    let again = || async { world.decide(user, "iam:roles:view", "roles").await.is_ok() };
    wait_until("decisions to be made again", again).await;
    world.service.stop().await;

    let (world, user) = admin_with_bounds(150, 150).await;
    world.users.feed.mute(true);
    let change = || async { world.decide(user, "tasks:edit", "tasks/1").await.is_err() };
    wait_until("decisions about changes to stop", change).await;
    assert_unavailable(world.decide(user, "tasks:edit", "tasks/1").await, "STALE_SNAPSHOT");
    assert_eq!(world.decide(user, "tasks:view", "tasks").await.unwrap(), Outcome::Allow);
    world.service.stop().await;
}

/// Starts with these bounds, in milliseconds, for decisions about IAM and about changes; returns an administrator too.
async fn admin_with_bounds(iam: u64, change: u64) -> (World, UserId) {
    let world = World::start_with(|config| {
        config.stale_after_iam_ms = iam;
        config.stale_after_change_ms = change;
        config.stale_after_read_ms = 600_000;
    })
    .await;
    let role = world.role("admin", &[allow(&["*"], &["*"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    (world, user)
}

#[tokio::test]
async fn a_denial_is_not_made_of_old_facts_either() {
    let world = World::start_with(|config| config.stale_after_change_ms = 100).await;
    let user = world.user(&[]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    world.iam.0.mute(true);
    let stale = || async { world.decide(user, "tasks:edit", "tasks/1").await.is_err() };
    wait_until("the facts to be too old", stale).await;
    assert_unavailable(world.decide(user, "tasks:edit", "tasks/1").await, "STALE_SNAPSHOT");
    world.service.stop().await;
}

#[tokio::test]
async fn a_position_that_is_asked_for_is_waited_for() {
    let world = World::start_with(|config| config.wait_for_position_ms = 10_000).await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    world.iam.0.mute(true);
    let mut request = world.question(user, "tasks:view", &["tasks"]);
    request.at_least_position = Some(AtLeastPosition { iam: world.hold(user, &[role]), user: 0 });
    let answer = async { world.ask(request).await.unwrap().outcome() };
    let unmute = async {
        // The facts without the assignment still decide for who does not ask for it.
        assert_eq!(world.decide(user, "tasks:view", "tasks").await.unwrap(), Outcome::Deny);
        world.iam.0.mute(false);
    };
    let (outcome, ()) = tokio::join!(answer, unmute);
    assert_eq!(outcome, Outcome::Allow);
    world.service.stop().await;
}

#[tokio::test]
async fn a_position_that_does_not_come_is_no_answer() {
    let world = World::start_with(|config| config.wait_for_position_ms = 50).await;
    let user = world.user(&[]);
    for at_least in [AtLeastPosition { iam: 1_000, user: 0 }, AtLeastPosition { iam: 0, user: 1_000 }] {
        let mut request = world.question(user, "tasks:view", &["tasks"]);
        request.at_least_position = Some(at_least);
        assert_unavailable(world.ask(request).await, "STALE_SNAPSHOT");
    }
    world.service.stop().await;
}

#[tokio::test]
async fn a_silent_stream_is_opened_again_where_it_stopped() {
    let world = World::start_with(|config| config.silence_ms = 150).await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    let (before, head) = (world.iam.0.opened().len(), world.iam.0.head());
    world.iam.0.mute(true);
    wait_until("the stream to be opened again", || async { world.iam.0.opened().len() > before }).await;
    assert_eq!(world.iam.0.opened()[before], head);
    world.iam.0.mute(false);
    world.hold(user, &[]);
    let denied = || async { world.decide(user, "tasks:view", "tasks").await.unwrap() == Outcome::Deny };
    wait_until("the new stream to be followed", denied).await;
    world.service.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_and_nothing_is_applied_twice_or_lost() {
    let world = World::start().await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    for _ in 0..5 {
        world.iam.0.cut();
        world.users.feed.cut();
        let user = world.user(&[role]);
        let allowed = || async { world.decide(user, "tasks:view", "tasks").await.unwrap() == Outcome::Allow };
        wait_until("the assignment to arrive", allowed).await;
    }
    world.service.stop().await;
}

#[tokio::test]
async fn after_a_restore_of_iam_nothing_is_left_of_what_it_has_forgotten() {
    let world = World::start().await;
    let policy = allow(&["tasks:view"], &["tasks/**"]);
    let role = world.role("viewer", std::slice::from_ref(&policy));
    let (kept, forgotten) = (world.user(&[role]), world.user(&[role]));
    assert_eq!(world.decide_now(forgotten, "tasks:view", "tasks").await, Outcome::Allow);
    let state = iam::CompanyState {
        roles: vec![iam::RoleState {
            id: role.to_string(),
            name: "viewer".to_owned(),
            policy_ids: vec![policy.id.clone()],
        }],
        policies: vec![policy],
        subjects: vec![held(kept, &[role])],
    };
    world.iam.0.restore(vec![change(world.company, What::Company(state))]);
    let denied = || async { world.decide(forgotten, "tasks:view", "tasks").await.is_ok_and(|o| o == Outcome::Deny) };
    wait_until("the restore to be noticed", denied).await;
    assert_eq!(world.decide(kept, "tasks:view", "tasks").await.unwrap(), Outcome::Allow);
    assert!(world.iam.0.opened().ends_with(&[0]), "{:?}", world.iam.0.opened());
    let rows = || async {
        let held: i64 =
            sqlx::query_scalar("SELECT count(*) FROM subject_roles").fetch_one(world.service.pool()).await.unwrap();
        let position: i64 = sqlx::query_scalar("SELECT position FROM positions WHERE stream = 'iam'")
            .fetch_one(world.service.pool())
            .await
            .unwrap();
        (held, position) == (1, 1)
    };
    wait_until("the tables to hold only what there is", rows).await;
    world.service.stop().await;
}

#[tokio::test]
async fn a_change_that_is_not_understood_stops_decisions_rather_than_being_passed_over() {
    let world = World::start_with(|config| config.stale_after_change_ms = 500).await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    world.iam.0.push(iam::Change { what: None, ..change(world.company, What::DeletedRoleId(role.to_string())) });
    let stale = || async { world.decide(user, "tasks:edit", "tasks/1").await.is_err() };
    wait_until("decisions to stop", stale).await;
    assert_unavailable(world.decide(user, "tasks:edit", "tasks/1").await, "STALE_SNAPSHOT");
    world.service.stop().await;
}

#[tokio::test]
async fn a_company_that_iam_has_not_told_of_is_neither_allowed_nor_denied() {
    let world = World::start().await;
    let (company, user) = (CompanyId::new(), UserId::new());
    let position = world.users.feed.push(subject_change(subject(company, user)));
    let mut request = world.question(user, "tasks:view", &["tasks"]);
    request.company_id = company.to_string();
    request.at_least_position = Some(AtLeastPosition { iam: 0, user: position });
    assert_unavailable(world.ask(request.clone()).await, "STALE_SNAPSHOT");

    let (policy, role) = (allow(&["*"], &["*"]), taskman_ids::RoleId::new());
    let state = iam::CompanyState {
        roles: vec![iam::RoleState {
            id: role.to_string(),
            name: "admin".to_owned(),
            policy_ids: vec![policy.id.clone()],
        }],
        policies: vec![policy],
        subjects: vec![held(user, &[role])],
    };
    let position = world.iam.0.push(change(company, What::Company(state)));
    request.at_least_position = Some(AtLeastPosition { iam: position, user: 0 });
    assert_eq!(world.ask(request).await.unwrap().outcome(), Outcome::Allow);
    world.service.stop().await;
}

#[tokio::test]
async fn a_revocation_bites_although_the_database_is_stuck_and_is_written_later() {
    let world = World::start().await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    let mut stuck = world.service.pool().begin().await.unwrap();
    sqlx::query("SELECT position FROM positions FOR UPDATE").fetch_all(&mut *stuck).await.unwrap();
    world.hold(user, &[]);
    let denied = || async { world.decide(user, "tasks:view", "tasks").await.unwrap() == Outcome::Deny };
    wait_until("the revocation to bite", denied).await;
    stuck.rollback().await.unwrap();
    let written = || async { written_position(&world).await == world.iam.0.head() };
    wait_until("the revocation to be written", written).await;
    world.service.stop().await;
}

#[tokio::test]
async fn what_another_replica_has_written_is_still_applied_here() {
    let world = World::start().await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    sqlx::query("UPDATE positions SET position = 1000").execute(world.service.pool()).await.unwrap();
    world.hold(user, &[]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    let opened = world.iam.0.opened().len();
    world.iam.0.cut();
    world.hold(user, &[role]);
    wait_until("the stream to be opened again", || async { world.iam.0.opened().len() > opened }).await;
    let allowed = || async { world.decide(user, "tasks:view", "tasks").await.unwrap() == Outcome::Allow };
    wait_until("the assignment to arrive", allowed).await;
    assert_eq!(written_position(&world).await, 1000);
    world.service.stop().await;
}

async fn written_position(world: &World) -> i64 {
    sqlx::query_scalar("SELECT position FROM positions WHERE stream = 'iam'")
        .fetch_one(world.service.pool())
        .await
        .unwrap()
}
