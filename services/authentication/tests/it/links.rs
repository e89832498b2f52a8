//! Links that set a password.

use chrono::TimeDelta;
use taskman_events::auth::{PasswordReset, PasswordResetRequested, RevocationReason, SessionRevoked};
use taskman_ids::{CompanyId, LinkRequestId};
use taskman_proto::authentication::{CreateLinkRequestRequest, LinkPurpose};
use tonic::{Code, Status};

use crate::world::{PASSWORD, Person, World, said, wrong_fields};

const NEW: &str = "nine amber spoons";

fn invalid(status: &Status) -> bool {
    said(status) == (Code::FailedPrecondition, "LINK_INVALID".to_owned())
}

/// Asks for a link and returns the request that the event names.
async fn requested(world: &World, person: &Person) -> LinkRequestId {
    world.forget_password(&person.email).await;
    world.events::<PasswordResetRequested>().await.pop().unwrap().1.link_request_id
}

async fn token(world: &World, link: LinkRequestId) -> String {
    world.mint(link, LinkPurpose::ResetPassword).await.unwrap().token
}

async fn create(world: &World, id: LinkRequestId, person: &Person) -> Result<(), Status> {
    let request = CreateLinkRequestRequest {
        link_request_id: id.to_string(),
        user_id: person.user.to_string(),
        company_id: person.company.to_string(),
        purpose: LinkPurpose::SetPassword.into(),
    };
    world.fleet("user").create_link_request(request).await.map(|_| ())
}

#[tokio::test]
async fn a_link_sets_the_password_once_and_ends_every_session() {
    let world = World::start().await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    let (unused, link) = (requested(&world, &ada).await, requested(&world, &ada).await);
    let unused = token(&world, unused).await;
    let token = token(&world, link).await;
    world.reset(&token, NEW).await.unwrap();
    assert!(invalid(&world.reset(&token, NEW).await.unwrap_err()), "it was used");
    assert!(invalid(&world.reset(&unused, NEW).await.unwrap_err()), "another link went with it");
    assert!(invalid(&world.mint(link, LinkPurpose::ResetPassword).await.unwrap_err()));
    assert!(!world.verify(&login.access_token).await.valid);
    assert!(world.refresh(&login.refresh_token).await.is_err());
    assert!(world.try_login(&ada.email, PASSWORD).await.is_err());
    let login = world.try_login(&ada.email, NEW).await.unwrap();
    assert!(world.verify(&login.access_token).await.valid);

    let [(envelope, event)] = world.events::<PasswordReset>().await.try_into().unwrap();
    assert_eq!(event, PasswordReset { user_id: ada.user, link_request_id: link });
    assert_eq!(envelope.company_id, ada.company);
    let [(_, revoked)] = world.events::<SessionRevoked>().await.try_into().unwrap();
    assert_eq!(revoked.reason, RevocationReason::PasswordChanged);
    let secret = token.split_once('.').unwrap().1;
    for envelope in world.service.events().await {
        assert!(!serde_json::to_string(&envelope).unwrap().contains(secret));
    }
    world.stop().await;
}

#[tokio::test]
async fn only_the_newest_secret_works_and_five_are_made() {
    let world = World::start().await;
    let ada = world.person().await;
    let link = requested(&world, &ada).await;
    assert!(invalid(&world.mint(link, LinkPurpose::SetPassword).await.unwrap_err()));
    assert!(invalid(&world.mint(LinkRequestId::new(), LinkPurpose::ResetPassword).await.unwrap_err()));
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens.push(token(&world, link).await);
    }
    assert!(invalid(&world.mint(link, LinkPurpose::ResetPassword).await.unwrap_err()));
    for old in &tokens[..4] {
        assert!(invalid(&world.reset(old, NEW).await.unwrap_err()));
    }
    world.reset(&tokens[4], NEW).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn links_grow_old() {
    let world = World::start().await;
    let ada = world.person().await;
    let link = requested(&world, &ada).await;
    world.wait(TimeDelta::minutes(29));
    let minted = world.mint(link, LinkPurpose::ResetPassword).await.unwrap();
    world.wait(TimeDelta::minutes(1));
    assert!(invalid(&world.mint(link, LinkPurpose::ResetPassword).await.unwrap_err()), "30 minutes after the request");
    world.wait(TimeDelta::minutes(9));
    assert!(invalid(&world.reset(&minted.token, NEW).await.unwrap_err()), "10 minutes after the mint");
    world.stop().await;
}

#[tokio::test]
async fn parallel_uses_of_one_link_set_one_password() {
    let world = World::start().await;
    let ada = world.person().await;
    let token = token(&world, requested(&world, &ada).await).await;
    let passwords: Vec<String> = (0..6).map(|n| format!("{NEW} {n}")).collect();
    let results = futures::future::join_all(passwords.iter().map(|password| world.reset(&token, password))).await;
    let set: Vec<usize> = (0..6).filter(|at| results[*at].is_ok()).collect();
    assert_eq!(set.len(), 1);
    world.try_login(&ada.email, &passwords[set[0]]).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn parallel_uses_of_two_links_set_one_password() {
    let world = World::start().await;
    let ada = world.person().await;
    let (one, two) = (requested(&world, &ada).await, requested(&world, &ada).await);
    let (one, two) = (token(&world, one).await, token(&world, two).await);
    let (first, second) = (format!("{NEW} 1"), format!("{NEW} 2"));
    let (by_one, by_two) = tokio::join!(world.reset(&one, &first), world.reset(&two, &second));
    let (refused, password) = match (by_one, by_two) {
        (Ok(()), Err(refused)) => (refused, first),
        (Err(refused), Ok(())) => (refused, second),
        both => panic!("not exactly one has won: {both:?}"),
    };
    assert!(invalid(&refused), "{refused:?}");
    world.try_login(&ada.email, &password).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn an_invited_user_sets_the_first_password_within_a_week() {
    let world = World::start().await;
    let (ada, id) = (world.invited(), LinkRequestId::new());
    create(&world, id, &ada).await.unwrap();
    create(&world, id, &ada).await.expect("the same again changes nothing");
    let other = Person { company: CompanyId::new(), ..ada.clone() };
    assert_eq!(wrong_fields(&create(&world, id, &other).await.unwrap_err()), ["link_request_id"]);

    world.wait(TimeDelta::days(6));
    let minted = world.mint(id, LinkPurpose::SetPassword).await.unwrap();
    world.wait(TimeDelta::days(6));
    world.reset(&minted.token, NEW).await.unwrap();
    world.try_login(&ada.email, NEW).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn a_password_that_breaks_a_rule_leaves_the_link_usable() {
    let world = World::start().await;
    let ada = world.person().await;
    let token = token(&world, requested(&world, &ada).await).await;
    for weak in ["short", "password123", "Lovelace-1815", "analytical engines", "taskman99", &"x".repeat(129)] {
        assert_eq!(wrong_fields(&world.reset(&token, weak).await.unwrap_err()), ["new_password"], "{weak}");
    }
    assert_eq!(wrong_fields(&world.reset("", "").await.unwrap_err()), ["token", "new_password"]);
    world.reset(&token, NEW).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn asking_for_a_link_tells_nobody_who_has_an_account() {
    let world = World::start().await;
    let (ada, inactive) = (world.person().await, world.person().await);
    let mut subject = inactive.subject();
    subject.active = false;
    world.users.put(subject);
    for email in ["nobody@example.com", "", "no address", &inactive.email] {
        let asked = world.users.asked();
        world.forget_password(email).await;
        assert_eq!(world.users.asked() - asked, 1);
    }
    assert!(world.events::<PasswordResetRequested>().await.is_empty());
    assert_eq!(world.count("SELECT count(*) FROM link_requests").await, 0);
    requested(&world, &ada).await;
    assert_eq!(world.count("SELECT count(*) FROM link_requests").await, 1);
    let [(envelope, event)] = world.events::<PasswordResetRequested>().await.try_into().unwrap();
    assert_eq!((envelope.company_id, event.user_id), (ada.company, ada.user));
    world.stop().await;
}

#[tokio::test]
async fn nobody_is_flooded_with_mails() {
    let world = World::start().await;
    let ada = world.person().await;
    for _ in 0..10 {
        world.forget_password(&ada.email).await;
    }
    assert_eq!(world.events::<PasswordResetRequested>().await.len(), 4);
    world.wait(TimeDelta::minutes(5));
    world.forget_password(&ada.email).await;
    assert_eq!(world.events::<PasswordResetRequested>().await.len(), 5);
    world.stop().await;
}

#[tokio::test]
async fn a_link_of_somebody_who_was_shut_out_does_not_open() {
    let world = World::start().await;
    let ada = world.person().await;
    let token = token(&world, requested(&world, &ada).await).await;
    let mut subject = ada.subject();
    subject.active = false;
    world.users.put(subject);
    assert!(invalid(&world.reset(&token, NEW).await.unwrap_err()));
    world.stop().await;
}
