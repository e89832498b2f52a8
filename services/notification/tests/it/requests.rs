//! Mails that people have sent.

use taskman_ids::{UserId, new_uuid};
use taskman_proto::notification::SendEmailRequest;
use taskman_proto::notification::notification_service_client::NotificationServiceClient;
use taskman_testkit::caller;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::fixture::{World, announcement, reason, wrong_fields};

#[tokio::test]
async fn an_announcement_reaches_everybody_it_is_for_alone() {
    let world = World::start().await;
    let (ada, grace) = (world.colleague(), world.colleague());
    let ids = world.announce(&[ada, grace]).await;
    for (user, id) in [(ada, &ids[0]), (grace, &ids[1])] {
        let mail = world.mail_to(user).await;
        assert_eq!((mail.subject.as_str(), mail.to.len()), ("We move", 1));
        assert!(mail.text.contains("To a new office.") && mail.html.unwrap().contains("To a new office."));
        assert_eq!(world.ended(user).await.id.to_string(), *id);
    }
    let stored = world.stored().await;
    assert!(stored.contains("To a new office.") && !stored.contains('@'), "{stored}");
    world.stop().await;
}

#[tokio::test]
async fn whoever_is_named_twice_gets_one_mail() {
    let world = World::start().await;
    let (ada, grace) = (world.colleague(), world.colleague());
    let ids = world.announce(&[ada, grace, ada]).await;
    assert!(ids.len() == 3 && ids[0] == ids[2] && ids[0] != ids[1], "{ids:?}");
    world.ended(ada).await;
    world.ended(grace).await;
    world.mail_to(ada).await;
    world.stop().await;
}

#[tokio::test]
async fn every_recipient_who_is_no_active_colleague_is_named_by_place_and_nobody_gets_a_mail() {
    let world = World::start().await;
    let (ada, gone, foreign) = (world.colleague(), world.colleague(), world.others.add(caller().company));
    world.others.change(gone, |subject| subject.active = false);
    let refused = world.send(announcement(&[ada, ada, UserId::new(), foreign, ada, gone])).await.unwrap_err();
    assert_eq!(wrong_fields(&refused), ["recipient_ids[2]", "recipient_ids[3]", "recipient_ids[5]"]);
    // Whether somebody exists elsewhere is not told.
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert!(violations.iter().all(|violation| violation.description == violations[0].description));
    assert_eq!(world.rows(ada).await, []);
    world.stop().await;
}

#[tokio::test]
async fn all_that_is_wrong_with_a_request_is_told_at_once() {
    let world = World::start().await;
    let request = |template: &str, variables: &[(&str, &str)]| SendEmailRequest {
        recipient_ids: vec![UserId::new().to_string(), "me".into()],
        template: template.into(),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        request_id: "again".into(),
    };
    let long = "x".repeat(10_001);
    let bad = request("announcement", &[("title", " "), ("text", &long), ("link", "x"), ("first_name", "x")]);
    let refused = world.send(bad).await.unwrap_err();
    let expected = ["request_id", "recipient_ids[1]", "variables.title", "variables", "variables.text"];
    assert_eq!(wrong_fields(&refused), expected);
    // The templates of events are theirs alone: nobody may have a link sent.
    for template in ["", "unknown", "welcome", "password_reset"] {
        let refused = world.send(request(template, &[])).await.unwrap_err();
        assert_eq!(wrong_fields(&refused), ["request_id", "recipient_ids[1]", "template"], "{template}");
    }
    let refused = world.send(SendEmailRequest::default()).await.unwrap_err();
    assert_eq!(wrong_fields(&refused), ["recipient_ids", "template"]);
    let crowd: Vec<UserId> = (0..101).map(|_| UserId::new()).collect();
    assert_eq!(wrong_fields(&world.send(announcement(&crowd)).await.unwrap_err()), ["recipient_ids"]);
    world.stop().await;
}

#[tokio::test]
async fn a_variable_holds_text_and_nothing_that_ends_a_line_of_the_head() {
    let world = World::start().await;
    let user = world.colleague();
    let mut request = announcement(&[user]);
    request.variables.insert("text".into(), "before\0after".into());
    assert_eq!(wrong_fields(&world.send(request.clone()).await.unwrap_err()), ["variables.text"]);
    request.variables.insert("text".into(), "<script>run()</script>\n\nsecond line".into());
    request.variables.insert("title".into(), "We move\r\nBcc: eve@example.com".into());
    world.send(request).await.unwrap();
    let mail = world.mail_to(user).await;
    assert_eq!(mail.subject, "We move Bcc: eve@example.com");
    assert!(!mail.headers.contains_key("Bcc") && world.mails.messages().len() == 1);
    let html = mail.html.unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    assert!(mail.text.contains("second line"));
    world.stop().await;
}

#[tokio::test]
async fn a_repeated_request_answers_the_same_and_sends_nothing_again() {
    let world = World::start().await;
    let user = world.colleague();
    let request = SendEmailRequest { request_id: new_uuid().to_string(), ..announcement(&[user]) };
    let first = world.send(request.clone()).await.unwrap();
    world.ended(user).await;
    // Variables have no order; the same ones come in another one nearly every time.
    for _ in 0..8 {
        assert_eq!(world.send(request.clone()).await.unwrap(), first);
    }
    world.others.change(user, |subject| subject.active = false);
    assert_eq!(world.send(request.clone()).await.unwrap(), first);
    let mut other = request;
    other.variables.insert("text".into(), "To another office.".into());
    assert_eq!(reason(&world.send(other).await.unwrap_err()), "IDEMPOTENCY_KEY_REUSED");
    world.mail_to(user).await;
    assert_eq!(world.rows(user).await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn only_people_who_are_logged_in_send() {
    let world = World::start().await;
    let user = world.colleague();
    let mut stranger = NotificationServiceClient::new(world.service.anybody());
    let mut unvouched = NotificationServiceClient::new(world.service.direct());
    let mut service = NotificationServiceClient::new(world.service.fleet("task"));
    let refused = [
        (stranger.send_email(announcement(&[user])).await, Code::PermissionDenied),
        (unvouched.send_email(announcement(&[user])).await, Code::Unauthenticated),
        (service.send_email(announcement(&[user])).await, Code::PermissionDenied),
    ];
    for (answer, code) in refused {
        assert_eq!(answer.unwrap_err().code(), code);
    }
    assert_eq!(world.rows(user).await, []);
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_promised_while_nobody_can_say_who_the_recipients_are() {
    let world = World::start().await;
    let user = world.colleague();
    world.others.users_away(true);
    let refused = world.send(announcement(&[user])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(world.rows(user).await, []);
    world.stop().await;
}
