//! Mails about what happened.

use chrono::{DateTime, Utc};
use taskman_events::auth::{PasswordReset, PasswordResetRequested};
use taskman_events::notification::EmailSent;
use taskman_events::task::{Priority, Task, TaskAssigned, TaskCompleted, TaskStatus};
use taskman_events::user::{User, UserCreated, UserOrigin};
use taskman_ids::{LinkRequestId, ProjectId, TaskId, UserId};
use taskman_proto::authentication::LinkPurpose;

use crate::fakes::{address, secret};
use crate::fixture::World;

fn created(world: &World, user: UserId, origin: UserOrigin, link_request_id: Option<LinkRequestId>) -> UserCreated {
    let user = User {
        id: user,
        company_id: world.caller.company,
        email: address(user),
        username: "grace".into(),
        first_name: "Grace".into(),
        last_name: "Hopper".into(),
        department: String::new(),
        location: String::new(),
        locale: "en".into(),
        timezone: "UTC".into(),
        active: true,
        version: 1,
    };
    UserCreated { user, origin, link_request_id }
}

fn task(creator: UserId, assignee: Option<UserId>, title: &str) -> Task {
    Task {
        id: TaskId::new(),
        project_id: ProjectId::new(),
        key: "CORE-12".into(),
        title: title.into(),
        status: TaskStatus::Todo,
        priority: Priority::Critical,
        creator_id: creator,
        assignee_id: assignee,
        due_date: Some(DateTime::UNIX_EPOCH),
        version: 1,
    }
}

fn assigned(assignee_id: UserId, by: UserId, title: &str) -> TaskAssigned {
    let task = task(by, Some(assignee_id), title);
    TaskAssigned { task, assignee_id, previous: None, by, changed_fields: vec!["assignee_id".into()] }
}

fn completed(creator: UserId, completed_by: UserId, completed_at: DateTime<Utc>) -> TaskCompleted {
    TaskCompleted {
        task: task(creator, Some(completed_by), "Wire the mill"),
        assignee_id: Some(completed_by),
        completed_by,
        actual_hours: None,
        completed_at,
        changed_fields: vec!["status".into()],
    }
}

/// Lets events be applied in their order, so that a later one says that an earlier one is done.
async fn in_order() -> World {
    World::start_with(|config| config.rabbitmq.concurrency = 1).await
}

#[tokio::test]
async fn an_invited_user_is_welcomed_with_a_link_that_is_nowhere_but_in_the_mail() {
    let world = World::start().await;
    let (user, link) = (world.colleague(), LinkRequestId::new());
    let cause = world.tell(&created(&world, user, UserOrigin::Invited, Some(link))).await;
    let mail = world.mail_to(user).await;
    assert_eq!(mail.subject, "Welcome to Analytical Engines on TaskMan");
    let url = format!("https://taskman.example.com/set-password?token={}", secret(1));
    assert!(mail.text.contains("Hello Grace") && mail.text.lines().any(|line| line.trim() == url), "{}", mail.text);
    assert!(mail.html.unwrap().contains(&secret(1)));
    let minted = world.others.minted();
    assert_eq!(minted.len(), 1);
    assert_eq!(
        (minted[0].link_request_id.as_str(), minted[0].purpose()),
        (&*link.to_string(), LinkPurpose::SetPassword)
    );

    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.attempts), ("sent", 1));
    let expected = EmailSent { log_id: row.id, recipient_id: user, template: "welcome".into(), attempt: 1 };
    assert_eq!(world.events::<EmailSent>().await, [expected]);
    let sent = world.service.events().await.pop().unwrap();
    assert_eq!((sent.company_id, sent.correlation_id), (world.caller.company, cause.correlation_id));

    let stored = world.stored().await;
    assert!(stored.contains(&user.to_string()) && stored.contains("email.sent"), "the dump holds the mail");
    assert!(!stored.contains("secret-of-link") && !stored.contains('@'), "{stored}");
    world.stop().await;
}

#[tokio::test]
async fn whoever_signed_up_gets_no_mail() {
    let world = in_order().await;
    let (founder, other) = (world.colleague(), world.colleague());
    world.tell(&created(&world, founder, UserOrigin::Signup, None)).await;
    world.tell_and_wait(other).await;
    assert_eq!(world.rows(founder).await, []);
    world.stop().await;
}

#[tokio::test]
async fn whoever_forgot_their_password_gets_a_link_to_reset_it() {
    let world = World::start().await;
    let (user, link_request_id) = (world.colleague(), LinkRequestId::new());
    world.tell(&PasswordResetRequested { user_id: user, link_request_id }).await;
    let mail = world.mail_to(user).await;
    assert_eq!(mail.subject, "Choose a new password for TaskMan");
    let url = format!("https://taskman.example.com/reset-password?token={}", secret(1));
    assert!(mail.text.lines().any(|line| line.trim() == url), "{}", mail.text);
    assert_eq!(world.others.minted()[0].purpose(), LinkPurpose::ResetPassword);
    world.stop().await;
}

#[tokio::test]
async fn whoever_has_a_new_password_is_told_without_a_link() {
    let world = World::start().await;
    let user = world.colleague();
    world.tell(&PasswordReset { user_id: user, link_request_id: LinkRequestId::new() }).await;
    let mail = world.mail_to(user).await;
    assert_eq!(mail.subject, "Your TaskMan password was changed");
    assert!(!mail.text.contains("http") && world.others.minted().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn an_assignee_is_told_of_their_task_unless_they_took_it_themselves() {
    let world = in_order().await;
    let (given, taken) = (world.colleague(), world.colleague());
    world.tell(&assigned(taken, taken, "Wire the mill")).await;
    world.tell(&assigned(given, world.caller.user, "Wire the mill")).await;
    let mail = world.mail_to(given).await;
    assert_eq!(mail.subject, "CORE-12 is yours: Wire the mill");
    assert!(mail.text.contains("priority is critical and it is due on 1970-01-01 00:00 UTC."), "{}", mail.text);
    assert_eq!(world.rows(taken).await, []);
    world.stop().await;
}

#[tokio::test]
async fn a_creator_is_told_that_a_task_is_done_unless_they_did_it_themselves() {
    let world = in_order().await;
    let (creator, doer) = (world.colleague(), world.colleague());
    world.tell(&completed(doer, doer, DateTime::UNIX_EPOCH)).await;
    world.tell(&completed(creator, doer, DateTime::UNIX_EPOCH)).await;
    assert_eq!(world.mail_to(creator).await.subject, "CORE-12 is done: Wire the mill");
    assert_eq!(world.rows(doer).await, []);
    world.stop().await;
}

#[tokio::test]
async fn an_event_that_comes_again_is_one_mail_even_when_the_inbox_has_forgotten_it() {
    let world = in_order().await;
    let (user, first, second) = (world.colleague(), world.colleague(), world.colleague());
    let event = world.tell(&assigned(user, world.caller.user, "Wire the mill")).await;
    world.service.publish(&event).await;
    world.tell_and_wait(first).await;
    let forgotten = sqlx::query("DELETE FROM inbox").execute(world.service.pool()).await.unwrap();
    assert!(forgotten.rows_affected() > 0);
    world.service.publish(&event).await;
    world.tell_and_wait(second).await;
    world.mail_to(user).await;
    assert_eq!(world.rows(user).await.len(), 1);
    let applied = sqlx::query("SELECT 1 FROM inbox WHERE event_id = $1").bind(event.id);
    assert_eq!(applied.fetch_all(world.service.pool()).await.unwrap().len(), 1, "the event was applied, not refused");
    world.stop().await;
}

#[tokio::test]
async fn what_people_wrote_is_text_in_a_mail_and_never_markup() {
    let world = World::start().await;
    let user = world.colleague();
    let title = r#"<img src="x" onerror='run()'> & more"#;
    world.others.change(user, |subject| subject.first_name = "<b>Grace</b>".into());
    world.tell(&assigned(user, world.caller.user, title)).await;
    let mail = world.mail_to(user).await;
    let html = mail.html.unwrap();
    assert!(!html.contains("<img") && !html.contains("<b>Grace"), "{html}");
    assert!(html.contains("&lt;img src=&quot;x&quot; onerror=&#x27;run()&#x27;&gt; &amp; more"), "{html}");
    assert!(mail.text.contains(title) && mail.subject.contains(title), "{} {}", mail.subject, mail.text);
    let id = world.ended(user).await.id;
    assert_eq!(mail.headers["Message-ID"], format!("<{id}@example.com>"));
    world.stop().await;
}
