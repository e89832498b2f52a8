//! Using a session, and ending it.

use std::collections::HashSet;

use chrono::TimeDelta;
use taskman_events::auth::{Logout, RevocationReason, SessionRevoked, TokenRefreshed, TokenReuseDetected};
use taskman_ids::CompanyId;
use tonic::{Code, Status};

use crate::world::{World, said, session_of};

fn invalid(status: &Status) -> bool {
    said(status) == (Code::Unauthenticated, "REFRESH_TOKEN_INVALID".to_owned())
}

#[tokio::test]
async fn a_refresh_gives_the_next_pair_for_the_same_session() {
    let world = World::start().await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    world.wait(TimeDelta::minutes(20));
    assert!(!world.verify(&login.access_token).await.valid);
    let next = world.refresh(&login.refresh_token).await.unwrap();
    assert_ne!(next.refresh_token, login.refresh_token);
    let caller = world.caller(&next.access_token).await;
    assert_eq!((caller.session, caller.user), (session_of(&login), ada.user));
    let verified = world.verify(&next.access_token).await;
    assert_eq!((verified.valid, verified.company_id), (true, ada.company.to_string()));
    world.refresh(&next.refresh_token).await.unwrap();
    let events = world.events::<TokenRefreshed>().await;
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].1.session_id, events[0].0.auth_id), (caller.session, Some(ada.user)));
    world.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_given_again_within_ten_seconds() {
    let world = World::start().await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    let first = world.refresh(&login.refresh_token).await.unwrap();
    world.wait(TimeDelta::seconds(10));
    let again = world.refresh(&login.refresh_token).await.unwrap();
    assert_eq!(again.refresh_token, first.refresh_token);
    assert_ne!(again.access_token, first.access_token);
    assert!(world.verify(&again.access_token).await.valid);
    world.refresh(&first.refresh_token).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn a_used_token_ends_the_session_for_both_who_hold_it() {
    for late in [true, false] {
        let world = World::start().await;
        let ada = world.person().await;
        let (login, other) = (world.login(&ada).await, world.login(&ada).await);
        let next = world.refresh(&login.refresh_token).await.unwrap();
        if late {
            world.wait(TimeDelta::milliseconds(10_001));
        } else {
            world.refresh(&next.refresh_token).await.unwrap();
        }
        assert!(invalid(&world.refresh(&login.refresh_token).await.unwrap_err()));
        assert!(invalid(&world.refresh(&next.refresh_token).await.unwrap_err()));
        assert!(!world.verify(&next.access_token).await.valid);
        assert!(world.verify(&other.access_token).await.valid, "another session goes on");

        let [(_, reuse)] = world.events::<TokenReuseDetected>().await.try_into().unwrap();
        assert_eq!((reuse.user_id, reuse.session_id), (ada.user, session_of(&login)));
        let [(_, revoked)] = world.events::<SessionRevoked>().await.try_into().unwrap();
        assert_eq!((revoked.session_id, revoked.reason), (session_of(&login), RevocationReason::TokenReuse));
        world.stop().await;
    }
}

#[tokio::test]
async fn fifty_refreshes_at_once_leave_one_chain() {
    let world = World::start().await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    let refreshes = (0..50).map(|_| world.refresh(&login.refresh_token));
    let answers = futures::future::join_all(refreshes).await;
    let next: HashSet<String> = answers.into_iter().map(|answer| answer.unwrap().refresh_token).collect();
    assert_eq!(next.len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM refresh_tokens").await, 2);
    world.refresh(next.iter().next().unwrap()).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_refresh_token_of_the_session_neither_works_nor_ends_it() {
    let world = World::start().await;
    let (ada, eve) = (world.person().await, world.person().await);
    let (login, other) = (world.login(&ada).await, world.login(&eve).await);
    let (head, secret) = login.refresh_token.split_once('.').unwrap();
    let (other_head, other_secret) = other.refresh_token.split_once('.').unwrap();
    for token in [
        format!("{head}.{other_secret}"),
        format!("{other_head}.{secret}"),
        format!("{head}."),
        head.to_owned(),
        login.access_token.clone(),
        String::new(),
    ] {
        assert!(invalid(&world.refresh(&token).await.unwrap_err()), "{token}");
    }
    assert!(!world.verify(&login.refresh_token).await.valid);
    world.refresh(&login.refresh_token).await.unwrap();
    world.refresh(&other.refresh_token).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn whoever_is_shut_out_can_neither_refresh_nor_log_in() {
    let world = World::start().await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    let mut subject = ada.subject();
    subject.active = false;
    world.users.put(subject);
    assert!(invalid(&world.refresh(&login.refresh_token).await.unwrap_err()));
    world.users.forget(&ada.user.to_string());
    assert!(invalid(&world.refresh(&login.refresh_token).await.unwrap_err()));
    world.users.put(ada.subject());
    world.refresh(&login.refresh_token).await.expect("nobody had revoked the session");
    world.stop().await;
}

#[tokio::test]
async fn a_session_ends_after_a_week_without_use_and_after_a_month_with_it() {
    let world = World::start().await;
    let ada = world.person().await;
    let (idle, mut used) = (world.login(&ada).await, world.login(&ada).await.refresh_token);
    for _ in 0..4 {
        world.wait(TimeDelta::days(6));
        used = world.refresh(&used).await.unwrap().refresh_token;
    }
    assert!(invalid(&world.refresh(&idle.refresh_token).await.unwrap_err()));
    world.wait(TimeDelta::days(6));
    assert!(invalid(&world.refresh(&used).await.unwrap_err()), "30 days are over");
    world.stop().await;
}

#[tokio::test]
async fn a_logout_ends_the_session_once_and_no_other() {
    let world = World::start().await;
    let ada = world.person().await;
    let (login, other) = (world.login(&ada).await, world.login(&ada).await);
    let caller = world.caller(&login.access_token).await;
    world.logout(&caller).await;
    world.logout(&caller).await;
    assert!(!world.verify(&login.access_token).await.valid);
    assert!(!world.is_open(&caller).await);
    assert!(invalid(&world.refresh(&login.refresh_token).await.unwrap_err()));
    assert!(world.verify(&other.access_token).await.valid);
    let [(envelope, event)] = world.events::<Logout>().await.try_into().unwrap();
    assert_eq!(event, Logout { user_id: ada.user, session_id: caller.session });
    assert_eq!(envelope.session_id, Some(caller.session));
    assert_eq!(world.count("SELECT count(*) FROM revocations").await, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_session_is_not_open_for_another_company() {
    let world = World::start().await;
    let ada = world.person().await;
    let caller = world.caller(&world.login(&ada).await.access_token).await;
    assert!(world.is_open(&caller).await);
    assert!(!world.is_open_in(CompanyId::new(), &caller).await);
    world.stop().await;
}

#[tokio::test]
async fn what_is_over_is_deleted() {
    let world = World::configured(|config| config.service.purge_every_ms = 20).await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    world.login(&ada).await;
    world.logout(&world.caller(&login.access_token).await).await;
    world.wait(TimeDelta::days(2));
    let sessions = || async { world.count("SELECT count(*) FROM sessions").await == 1 };
    taskman_testkit::wait_until("the ended session to go", sessions).await;
    assert_eq!(world.count("SELECT count(*) FROM refresh_tokens").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM revocations").await, 1, "the newest stays");
    world.stop().await;
}
