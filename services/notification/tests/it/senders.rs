//! Several senders of the same mails.

use chrono::TimeDelta;
use taskman_clock::Clock as _;
use taskman_devstack::Fault;
use taskman_events::auth::PasswordReset;
use taskman_ids::{LinkRequestId, UserId};
use taskman_testkit::wait_until;

use crate::fixture::{World, announcement};

#[tokio::test]
async fn two_replicas_send_every_mail_once() {
    let world = World::start().await;
    let (replica, _users) = world.replica().await;
    let users: Vec<UserId> = (0..80).map(|_| world.colleague()).collect();
    world.announce(&users).await;
    wait_until("all mails", || async { world.mails.messages().len() >= users.len() }).await;
    for user in users {
        assert_eq!(world.ended(user).await.attempts, 1);
        world.mail_to(user).await;
    }
    assert_eq!(world.mails.messages().len(), 80);
    let stopped = replica.stop().await;
    assert!(stopped.in_time && stopped.panics == 0);
    world.stop().await;
}

#[tokio::test]
async fn a_mail_that_another_sender_is_taking_delays_no_other() {
    let world = World::start().await;
    let (user, other) = (world.colleague(), world.colleague());
    world.mails.set_fault(Fault { smtp_code: 451, count: 1 });
    world.announce(&[user]).await;
    world.set_back(user, 1).await;
    let mut sender = world.service.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM notification_logs WHERE recipient_id = $1 FOR UPDATE")
        .bind(user)
        .execute(&mut *sender)
        .await
        .unwrap();
    world.service.clock().advance(TimeDelta::seconds(1));
    world.announce(&[other]).await;
    world.mail_to(other).await;
    assert_eq!(world.mails_to(user), []);
    sender.rollback().await.unwrap();
    world.mail_to(user).await;
    world.stop().await;
}

#[tokio::test]
async fn a_mail_whose_sender_died_is_sent_when_its_lease_has_ended() {
    let world = World::start_with(|config| config.service.retry_delays_ms = vec![3_600_000]).await;
    let (user, other) = (world.colleague(), world.colleague());
    world.others.users_away(true);
    world.tell(&PasswordReset { user_id: user, link_request_id: LinkRequestId::new() }).await;
    world.set_back(user, 1).await;
    // What a sender leaves behind that dies in the middle.
    sqlx::query("UPDATE notification_logs SET status = 'sending', next_attempt_at = $2 WHERE recipient_id = $1")
        .bind(user)
        .bind(world.service.clock().now() + TimeDelta::seconds(120))
        .execute(world.service.pool())
        .await
        .unwrap();
    world.others.users_away(false);
    world.service.clock().advance(TimeDelta::seconds(119));
    wait_until("the user service to be asked again", || async { world.send(announcement(&[other])).await.is_ok() })
        .await;
    world.mail_to(other).await;
    assert_eq!(world.mails_to(user), []);
    world.service.clock().advance(TimeDelta::seconds(1));
    world.mail_to(user).await;
    assert_eq!(world.ended(user).await.attempts, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_sender_that_was_too_slow_leaves_the_mail_to_the_one_that_took_it_over() {
    let world = World::start_with(|config| config.service.smtp.timeout_ms = 500).await;
    let (user, other) = (world.colleague(), world.colleague());
    world.mails.pause();
    world.announce(&[user]).await;
    world.row(user, "an attempt", |row| row.status == "sending").await;
    // Another sender has begun the second attempt.
    sqlx::query("UPDATE notification_logs SET attempts = 2 WHERE recipient_id = $1")
        .bind(user)
        .execute(world.service.pool())
        .await
        .unwrap();
    world.announce(&[other]).await;
    // The other mail is taken when the first attempt is over.
    world.row(other, "the end of the first attempt", |row| row.attempts > 0).await;
    world.mails.resume();
    let row = world.rows(user).await.remove(0);
    assert_eq!((row.status.as_str(), row.error.as_str(), row.attempts), ("sending", "", 2));
    assert!(world.attempts(user).await.is_empty());
    world.stop().await;
}
