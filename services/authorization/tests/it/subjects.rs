//! Subjects of whom the stream has not told yet.

use std::sync::atomic::Ordering;

use taskman_ids::UserId;
use taskman_proto::authorization::Outcome;
use taskman_proto::user::Subject;

use crate::world::{World, allow, assert_unavailable, subject, subject_change};

#[tokio::test]
async fn a_new_user_is_asked_for_and_decided_for_at_once() {
    let world = World::start().await;
    let role = world.role("viewer", &[allow(&["tasks:view"], &["tasks/**"])]);
    let user = UserId::new();
    world.users.known.lock().unwrap().insert(user.to_string(), subject(world.company, user));
    world.hold(user, &[role]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Allow);
    // The answer was for that decision: what the user service says next counts next.
    let inactive = Subject { active: false, ..subject(world.company, user) };
    world.users.known.lock().unwrap().insert(user.to_string(), inactive);
    assert_eq!(world.decide(user, "tasks:view", "tasks").await.unwrap(), Outcome::Deny);
    assert_eq!(world.users.asked.load(Ordering::SeqCst), 2);
    world.service.stop().await;
}

#[tokio::test]
async fn a_user_of_the_stream_is_not_asked_for() {
    let world = World::start().await;
    let user = world.user(&[]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    assert_eq!(world.users.asked.load(Ordering::SeqCst), 0);
    world.service.stop().await;
}

#[tokio::test]
async fn only_the_word_that_there_is_no_such_user_denies() {
    let world = World::start().await;
    let nobody = UserId::new();
    let denied = world.ask(world.question(nobody, "tasks:view", &["tasks"])).await.unwrap();
    assert_eq!((denied.outcome(), denied.reasons), (Outcome::Deny, vec!["COMPANY_MISMATCH".to_owned()]));
    world.users.away.store(true, Ordering::SeqCst);
    assert_unavailable(world.decide(nobody, "tasks:view", "tasks").await, "UNAVAILABLE");
    // Who is known is decided for without the user service.
    let user = world.user(&[]);
    assert_eq!(world.decide_now(user, "tasks:view", "tasks").await, Outcome::Deny);
    world.users.feed.push(subject_change(subject(world.company, nobody)));
    assert_eq!(world.decide_now(nobody, "tasks:view", "tasks").await, Outcome::Deny);
    world.service.stop().await;
}
