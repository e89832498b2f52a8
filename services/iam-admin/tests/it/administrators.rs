//! A company always has an administrator.

use chrono::TimeDelta;
use taskman_testkit::caller;
use tonic::Code;

use crate::fixture::{World, refusal};

fn last_administrator() -> (Code, String) {
    (Code::FailedPrecondition, "LAST_ADMINISTRATOR".to_owned())
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::start().await;
    let admin = &world.admin;
    assert_eq!(refusal(world.revoke(admin, admin.user, "admin").await), last_administrator());
    // Nor does the time take what nobody may.
    assert_eq!(refusal(world.assign_for(admin.user, "admin", TimeDelta::days(1)).await), last_administrator());
    assert_eq!(world.names(admin.company, admin.user).await, (vec!["admin".to_owned()], 1));
    assert!(world.told().await.is_empty());

    let successor = world.colleague("admin").await;
    world.revoke(&successor, admin.user, "admin").await.unwrap();
    assert_eq!(refusal(world.revoke(&successor, successor.user, "admin").await), last_administrator());
    world.service.stop().await;
}

#[tokio::test]
async fn an_administrator_for_a_time_is_no_successor() {
    let world = World::start().await;
    let deputy = taskman_testkit::caller_of(world.admin.company);
    world.assign_for(deputy.user, "admin", TimeDelta::days(1)).await.unwrap();
    assert_eq!(refusal(world.revoke(&deputy, world.admin.user, "admin").await), last_administrator());
    // Another company's administrator is none here either.
    world.provision(&caller()).await.unwrap();
    assert_eq!(refusal(world.revoke(&deputy, world.admin.user, "admin").await), last_administrator());
    // The deputy's own end is nobody's loss.
    world.revoke(&world.admin, deputy.user, "admin").await.unwrap();
    world.service.stop().await;
}

#[tokio::test]
async fn two_administrators_cannot_remove_each_other() {
    let world = World::start().await;
    for _ in 0..5 {
        let (one, other) = (world.admin.clone(), world.colleague("admin").await);
        let (first, second) =
            tokio::join!(world.revoke(&one, other.user, "admin"), world.revoke(&other, one.user, "admin"));
        let (left, refused) = match (first, second) {
            (Ok(_), refused) => (&one, refused),
            (refused, Ok(_)) => (&other, refused),
            both => panic!("both were refused: {both:?}"),
        };
        assert_eq!(refusal(refused), last_administrator());
        assert_eq!(world.names(left.company, left.user).await.0, ["admin"]);
        if left.user == other.user {
            // The next round starts from the first administrator again.
            world.assign(&other, one.user, "admin").await.unwrap();
            world.revoke(&one, other.user, "admin").await.unwrap();
        }
    }
    world.service.stop().await;
}
