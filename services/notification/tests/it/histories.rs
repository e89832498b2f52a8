//! What was sent to somebody.

use chrono::TimeDelta;
use taskman_identity::Caller;
use taskman_ids::UserId;
use taskman_proto::notification::{GetHistoryRequest, Notification, NotificationStatus};
use taskman_testkit::caller;
use tonic::{Code, Status};

use crate::fixture::{World, neighbour, reason, wrong_fields};

async fn ask(world: &World, caller: &Caller, request: GetHistoryRequest) -> Result<Vec<Notification>, Status> {
    Ok(world.client(caller).get_notification_history(request).await?.into_inner().notifications)
}

fn of(recipient: UserId) -> GetHistoryRequest {
    GetHistoryRequest { recipient_id: recipient.to_string(), ..Default::default() }
}

/// Returns a colleague of the caller who can log in.
fn colleague(world: &World) -> Caller {
    Caller { user: world.colleague(), ..neighbour(&world.caller) }
}

#[tokio::test]
async fn everybody_sees_what_they_got_themselves() {
    let world = World::start().await;
    let (ada, grace) = (colleague(&world), colleague(&world));
    let ids = world.announce(&[ada.user, grace.user]).await;
    world.ended(ada.user).await;
    world.authorization.deny("notifications:view_all");
    let own = ask(&world, &ada, GetHistoryRequest::default()).await.unwrap();
    assert_eq!(own.len(), 1);
    let shown = &own[0];
    assert_eq!((&shown.id, &shown.recipient_id), (&ids[0], &ada.user.to_string()));
    assert_eq!(
        (shown.r#type.as_str(), shown.template.as_str(), shown.subject.as_str()),
        ("email", "announcement", "We move")
    );
    assert_eq!((shown.status(), shown.attempts, shown.error.as_str()), (NotificationStatus::Sent, 1, ""));
    assert!(shown.sent_at.is_some() && shown.created_at.is_some());
    assert_eq!(ask(&world, &ada, of(ada.user)).await.unwrap(), own);
    world.stop().await;
}

#[tokio::test]
async fn what_others_got_is_shown_to_those_who_may_see_all() {
    let world = World::start().await;
    let ada = colleague(&world);
    world.announce(&[ada.user]).await;
    world.ended(ada.user).await;
    assert_eq!(ask(&world, &world.caller, of(ada.user)).await.unwrap().len(), 1);
    assert!(ask(&world, &world.caller, GetHistoryRequest::default()).await.unwrap().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn what_others_got_is_not_shown_to_anybody_else() {
    let world = World::start().await;
    let ada = colleague(&world);
    world.authorization.deny("notifications:view_all");
    let refused = [
        ask(&world, &world.caller, of(ada.user)).await.unwrap_err(),
        ask(&world, &world.caller, of(UserId::new())).await.unwrap_err(),
    ];
    // Whether there is such a person is not told.
    for status in refused {
        assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "PERMISSION_DENIED".to_owned()));
    }
    world.stop().await;
}

#[tokio::test]
async fn another_company_sees_nothing() {
    let world = World::start().await;
    let ada = colleague(&world);
    world.announce(&[ada.user]).await;
    world.ended(ada.user).await;
    let stranger = caller();
    assert_eq!(ask(&world, &stranger, of(ada.user)).await.unwrap(), []);
    // Not even under the same id.
    let namesake = Caller { user: ada.user, ..stranger };
    assert_eq!(ask(&world, &namesake, GetHistoryRequest::default()).await.unwrap(), []);
    world.stop().await;
}

#[tokio::test]
async fn pages_hold_every_mail_once_newest_first() {
    let world = World::start().await;
    let ada = colleague(&world);
    let mut expected = Vec::new();
    for count in 0..5 {
        // Two at the same moment are told apart, too.
        world.service.clock().advance(TimeDelta::seconds(count % 2));
        expected.extend(world.announce(&[ada.user]).await);
    }
    expected.reverse();
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = GetHistoryRequest { page_size: 2, page_token: page_token.clone(), ..Default::default() };
        let page = world.client(&ada).get_notification_history(request).await.unwrap().into_inner();
        assert!(page.notifications.len() <= 2);
        seen.extend(page.notifications.into_iter().map(|notification| notification.id));
        // What is sent while somebody reads on is on no later page.
        world.service.clock().advance(TimeDelta::seconds(1));
        world.announce(&[ada.user]).await;
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    assert_eq!(seen, expected);
    let elsewhere = [
        GetHistoryRequest {
            page_token: page_token.clone(),
            recipient_id: UserId::new().to_string(),
            ..Default::default()
        },
        GetHistoryRequest {
            page_token: page_token.clone(),
            status: NotificationStatus::Sent.into(),
            ..Default::default()
        },
        GetHistoryRequest { page_token: "page 2".into(), ..Default::default() },
    ];
    for request in elsewhere {
        assert_eq!(reason(&ask(&world, &ada, request).await.unwrap_err()), "PAGE_TOKEN_INVALID");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_history_can_be_asked_for_by_status() {
    let world = World::start().await;
    let ada = colleague(&world);
    let sent = world.announce(&[ada.user]).await;
    world.ended(ada.user).await;
    world.mails.set_fault(taskman_devstack::Fault { smtp_code: 550, count: 1 });
    world.service.clock().advance(TimeDelta::seconds(1));
    let failed = world.announce(&[ada.user]).await;
    taskman_testkit::wait_until("the failure", || async {
        world.rows(ada.user).await.iter().any(|row| row.status == "failed")
    })
    .await;
    let with = |status: NotificationStatus| GetHistoryRequest { status: status.into(), ..Default::default() };
    for (status, expected) in [
        (NotificationStatus::Sent, sent.clone()),
        (NotificationStatus::Failed, failed.clone()),
        (NotificationStatus::Suppressed, Vec::new()),
        (NotificationStatus::Unspecified, [failed, sent].concat()),
    ] {
        let shown = ask(&world, &ada, with(status)).await.unwrap();
        assert_eq!(shown.into_iter().map(|shown| shown.id).collect::<Vec<_>>(), expected, "{status:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn all_that_is_wrong_with_a_question_is_told_at_once() {
    let world = World::start().await;
    let bad = GetHistoryRequest { recipient_id: "me".into(), page_size: -1, status: 17, ..Default::default() };
    let refused = ask(&world, &world.caller, bad).await.unwrap_err();
    assert_eq!(wrong_fields(&refused), ["recipient_id", "page_size", "status"]);
    world.stop().await;
}
