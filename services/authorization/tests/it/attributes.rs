//! Attributes of records: asked for when, and only when, the answer depends on them.

use std::sync::atomic::Ordering;

use taskman_ids::UserId;
use taskman_proto::authorization::Outcome;

use crate::world::{World, allow, allow_where, assert_unavailable};

/// Who may edit what is assigned to them, and view everything.
async fn developer() -> (World, UserId) {
    let world = World::start().await;
    let own = allow_where(&["tasks:edit", "meetings:edit"], &["*"], "resource.assignee_id == subject.id");
    let role = world.role("developer", &[own, allow(&["tasks:view"], &["tasks/**"])]);
    let user = world.user(&[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks/1").await, Outcome::Allow);
    (world, user)
}

#[tokio::test]
async fn a_record_is_not_asked_for_when_no_policy_reads_it() {
    let (world, user) = developer().await;
    assert_eq!(world.decide(user, "tasks:view", "tasks/1").await.unwrap(), Outcome::Allow);
    assert_eq!(world.decide(user, "tasks:delete", "tasks/1").await.unwrap(), Outcome::Deny);
    assert!(world.tasks.asked.lock().unwrap().is_empty());
    world.service.stop().await;
}

#[tokio::test]
async fn what_the_owner_says_decides_each_time_anew() {
    let (world, user) = developer().await;
    world.task("1", &[("assignee_id", &user.to_string())]);
    assert_eq!(world.decide(user, "tasks:edit", "tasks/1").await.unwrap(), Outcome::Allow);
    assert_eq!(world.decide(user, "tasks:edit", "tasks/1/comments/2").await.unwrap(), Outcome::Allow);
    world.task("1", &[("assignee_id", &UserId::new().to_string())]);
    assert_eq!(world.decide(user, "tasks:edit", "tasks/1").await.unwrap(), Outcome::Deny);
    world.task("1", &[("status", "todo")]);
    assert_eq!(world.decide(user, "tasks:edit", "tasks/1").await.unwrap(), Outcome::Deny, "nobody is assigned");
    world.service.stop().await;
}

#[tokio::test]
async fn many_records_are_asked_for_at_once() {
    let (world, user) = developer().await;
    world.task("1", &[("assignee_id", &user.to_string())]);
    world.task("2", &[("assignee_id", &user.to_string())]);
    let answer = world.ask(world.question(user, "tasks:edit", &["tasks/2", "tasks/1", "tasks/2"])).await.unwrap();
    assert_eq!(answer.outcome(), Outcome::Allow);
    let asked = world.tasks.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].company_id.as_str(), asked[0].r#type.as_str()), (world.company.to_string().as_str(), "tasks"));
    assert_eq!(asked[0].ids, ["1", "2"]);
    world.service.stop().await;
}

#[tokio::test]
async fn an_absent_record_is_told_only_to_who_could_be_allowed() {
    let (world, user) = developer().await;
    assert_eq!(world.decide(user, "tasks:edit", "tasks/9").await.unwrap(), Outcome::ResourceNotFound);
    let nobody = world.user(&[]);
    assert_eq!(world.decide_now(nobody, "tasks:edit", "tasks/9").await, Outcome::Deny);
    world.service.stop().await;
}

#[tokio::test]
async fn an_owner_that_fails_leaves_the_question_open() {
    let (world, user) = developer().await;
    world.tasks.away.store(true, Ordering::SeqCst);
    assert_unavailable(world.decide(user, "tasks:edit", "tasks/1").await, "UNAVAILABLE");
    assert_eq!(world.decide(user, "tasks:view", "tasks/1").await.unwrap(), Outcome::Allow);
    // The owner of users is not there at all.
    let own = allow_where(&["users:edit"], &["users/*"], "resource.owner == subject.id");
    let role = world.role("self", &[own]);
    world.hold(user, &[role]);
    let mut request = world.question(user, "users:edit", &["users/1"]);
    request.at_least_position = Some(world.head());
    assert_unavailable(world.ask(request).await, "UNAVAILABLE");
    world.service.stop().await;
}

#[tokio::test]
async fn collections_and_types_without_owner_have_no_attributes() {
    let (world, user) = developer().await;
    for resource in ["tasks", "meetings/1"] {
        let action = if resource == "tasks" { "tasks:edit" } else { "meetings:edit" };
        assert_eq!(world.decide(user, action, resource).await.unwrap(), Outcome::Deny, "{resource}");
    }
    assert!(world.tasks.asked.lock().unwrap().is_empty());
    world.service.stop().await;
}
