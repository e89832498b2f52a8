//! Several senders of the same mails.

use chrono::TimeDelta;
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
    let leave = "UPDATE notification_logs SET status = 'sending', next_attempt_at = clock_timestamp() + $2::interval
                 WHERE recipient_id = $1";
    let pool = world.service.pool();
    sqlx::query(leave).bind(user).bind(TimeDelta::hours(1)).execute(pool).await.unwrap();
    world.others.users_away(false);
    // The lease is the database's: a sender whose clock is ahead does not end it.
    world.service.clock().advance(TimeDelta::minutes(5));
    wait_until("the user service to be asked again", || async { world.send(announcement(&[other])).await.is_ok() })
        .await;
    world.mail_to(other).await;
    assert_eq!(world.mails_to(user), []);
    sqlx::query(leave).bind(user).bind(TimeDelta::zero()).execute(pool).await.unwrap();
    world.mail_to(user).await;
    assert_eq!(world.ended(user).await.attempts, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_mail_whose_end_could_not_be_stored_at_once_is_not_sent_again() {
    let world = World::start().await;
    let user = world.colleague();
    // A sequence counts on through what is rolled back.
    let refuse = "CREATE SEQUENCE refusals;
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      IF nextval('refusals') <= 2 THEN RAISE 'not now' USING ERRCODE = 'serialization_failure'; END IF;
                      RETURN NEW;
                  END $$;
                  CREATE TRIGGER refuse BEFORE UPDATE ON notification_logs FOR EACH ROW
                  WHEN (NEW.status = 'sent') EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refuse).execute(world.service.pool()).await.unwrap();
    world.announce(&[user]).await;
    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.attempts), ("sent", 1));
    assert_eq!(world.mails_to(user).len(), 1);
    let tries: i64 =
        sqlx::query_scalar("SELECT last_value FROM refusals").fetch_one(world.service.pool()).await.unwrap();
    assert_eq!(tries, 3);
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
