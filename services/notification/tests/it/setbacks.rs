//! What happens to a mail that cannot be sent at once, or at all.

use chrono::TimeDelta;
use taskman_devstack::Fault;
use taskman_events::auth::{PasswordReset, PasswordResetRequested};
use taskman_events::notification::{EmailFailed, EmailSent};
use taskman_ids::{LinkRequestId, UserId};
use taskman_proto::user::CompanyStatus;
use taskman_testkit::caller;

use crate::fakes::secret;
use crate::fixture::World;

/// Starts a world in which a mail is tried again for as long as a test may take.
async fn persistent() -> World {
    World::start_with(|config| config.service.retry_delays_ms = vec![1_000; 100_000]).await
}

fn changed(user_id: UserId) -> PasswordReset {
    PasswordReset { user_id, link_request_id: LinkRequestId::new() }
}

#[tokio::test]
async fn a_mail_that_the_server_puts_off_is_sent_later_and_once() {
    let world = World::start().await;
    let user = world.colleague();
    world.mails.set_fault(Fault { smtp_code: 451, count: 2 });
    world.announce(&[user]).await;
    assert_eq!(world.set_back(user, 1).await.error, "mail_server_busy");
    // Not before its time: another mail, which the server puts off too, goes first.
    world.service.clock().advance(TimeDelta::milliseconds(999));
    let other = world.colleague();
    world.announce(&[other]).await;
    world.set_back(other, 1).await;
    assert_eq!(world.attempts(user).await, ["mail_server_busy"]);

    world.service.clock().advance(TimeDelta::milliseconds(1));
    world.mail_to(user).await;
    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.error.as_str(), row.attempts), ("sent", "", 2));
    assert_eq!(world.attempts(user).await, ["mail_server_busy", "sent"]);
    let sent = world.events::<EmailSent>().await;
    assert_eq!(sent.iter().map(|sent| (sent.recipient_id, sent.attempt)).collect::<Vec<_>>(), [(user, 2)]);
    assert_eq!(world.events::<EmailFailed>().await, []);
    world.stop().await;
}

#[tokio::test]
async fn a_mail_that_is_put_off_too_often_is_given_up() {
    let world = World::start().await;
    let user = world.colleague();
    world.mails.set_fault(Fault { smtp_code: 451, count: 3 });
    world.announce(&[user]).await;
    for attempts in 1..=2 {
        world.set_back(user, attempts).await;
        world.service.clock().advance(TimeDelta::seconds(2));
    }
    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.error.as_str(), row.attempts), ("failed", "mail_server_busy", 3));
    let failed = world.events::<EmailFailed>().await;
    let expected = EmailFailed {
        log_id: row.id,
        recipient_id: user,
        template: "announcement".into(),
        attempt: 3,
        reason: "mail_server_busy".into(),
    };
    assert_eq!(failed, [expected]);
    assert_eq!(world.attempts(user).await.len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_mail_that_the_server_refuses_for_good_is_not_tried_again() {
    let world = World::start().await;
    let (user, other) = (world.colleague(), world.colleague());
    world.mails.set_fault(Fault { smtp_code: 550, count: 1 });
    world.announce(&[user]).await;
    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.error.as_str(), row.attempts), ("failed", "mail_server_refused", 1));
    let failed = world.events::<EmailFailed>().await;
    assert_eq!((failed.len(), failed[0].recipient_id, failed[0].attempt), (1, user, 1));

    world.service.clock().advance(TimeDelta::minutes(5));
    world.announce(&[other]).await;
    world.mail_to(other).await;
    assert_eq!((world.mails_to(user), world.rows(user).await), (Vec::new(), vec![row]));
    world.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_costs_no_mail() {
    let world = World::start().await;
    let user = world.colleague();
    world.mails.set_fault(Fault { smtp_code: 535, count: 1 });
    world.announce(&[user]).await;
    assert_eq!(world.set_back(user, 1).await.error, "mail_server_refused_login");
    world.service.clock().advance(TimeDelta::seconds(1));
    world.mail_to(user).await;
    world.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_is_gone_or_hangs_only_delays_a_mail() {
    let mut world = World::start_with(|config| {
        config.service.smtp.timeout_ms = 300;
        config.service.retry_delays_ms = vec![1_000; 100_000];
    })
    .await;
    let (first, second) = (world.colleague(), world.colleague());
    world.mails.stop().await;
    world.announce(&[first]).await;
    assert_eq!(world.set_back(first, 1).await.error, "mail_server_unavailable");
    world.mails.restart().await.unwrap();
    world.mail_in_time(first).await;

    world.mails.pause();
    world.announce(&[second]).await;
    assert_eq!(world.set_back(second, 1).await.error, "mail_server_unavailable");
    world.mails.resume();
    world.mail_in_time(second).await;
    world.stop().await;
}

#[tokio::test]
async fn whoever_may_not_get_a_mail_any_more_gets_none() {
    let world = World::start().await;
    let (left, shut, moved) = (world.colleague(), world.colleague(), world.others.add(caller().company));
    world.others.change(left, |subject| subject.active = false);
    world.others.change(shut, |subject| subject.set_company_status(CompanyStatus::Suspended));
    for user in [left, shut, moved, UserId::new()] {
        world.tell(&changed(user)).await;
        let row = world.ended(user).await;
        assert_eq!((row.status.as_str(), row.error.as_str()), ("suppressed", "recipient_inactive"));
        assert_eq!(world.attempts(user).await, ["recipient_inactive"]);
    }
    assert_eq!(world.mails.messages(), []);
    assert!(world.events::<EmailFailed>().await.is_empty() && world.events::<EmailSent>().await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_recipient_who_left_before_the_retry_gets_nothing() {
    let world = World::start().await;
    let user = world.colleague();
    world.mails.set_fault(Fault { smtp_code: 451, count: 1 });
    world.announce(&[user]).await;
    world.set_back(user, 1).await;
    world.others.change(user, |subject| subject.active = false);
    world.service.clock().advance(TimeDelta::seconds(1));
    assert_eq!(world.ended(user).await.status, "suppressed");
    assert_eq!(world.mails.messages(), []);
    world.stop().await;
}

#[tokio::test]
async fn a_link_that_cannot_be_used_any_more_is_not_sent() {
    let world = World::start().await;
    let user = world.colleague();
    world.others.end_links();
    world.tell(&PasswordResetRequested { user_id: user, link_request_id: LinkRequestId::new() }).await;
    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.error.as_str()), ("suppressed", "link_expired"));
    assert_eq!(world.mails.messages(), []);
    world.stop().await;
}

#[tokio::test]
async fn a_mail_waits_for_an_authentication_service_that_is_away() {
    let world = persistent().await;
    let user = world.colleague();
    world.others.links_away(true);
    world.tell(&PasswordResetRequested { user_id: user, link_request_id: LinkRequestId::new() }).await;
    assert_eq!(world.set_back(user, 1).await.error, "service_unavailable");
    world.others.links_away(false);
    assert!(world.mail_in_time(user).await.text.contains(&secret(1)));
    assert_eq!(world.ended(user).await.status, "sent");
    assert_eq!(world.others.minted().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_mail_waits_for_a_user_service_that_is_away() {
    let world = persistent().await;
    let user = world.colleague();
    world.others.users_away(true);
    world.tell(&changed(user)).await;
    assert_eq!(world.set_back(user, 1).await.error, "service_unavailable");
    world.others.users_away(false);
    world.mail_in_time(user).await;
    assert_eq!(world.ended(user).await.status, "sent");
    world.stop().await;
}

#[tokio::test]
async fn every_attempt_has_a_link_of_its_own() {
    let world = World::start().await;
    let user = world.colleague();
    world.mails.set_fault(Fault { smtp_code: 451, count: 1 });
    world.tell(&PasswordResetRequested { user_id: user, link_request_id: LinkRequestId::new() }).await;
    world.set_back(user, 1).await;
    assert!(!world.stored().await.contains("secret-of-link"));
    world.service.clock().advance(TimeDelta::seconds(1));
    let mail = world.mail_to(user).await;
    assert!(mail.text.contains(&secret(2)) && !mail.text.contains(&secret(1)), "{}", mail.text);
    world.stop().await;
}
