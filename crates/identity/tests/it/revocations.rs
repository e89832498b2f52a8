//! The revocation list: whom it shuts out, in which order, and when it knows enough.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use taskman_identity::{Algorithm, Progress, Revocation, RevocationList, Revoked, TokenError};
use taskman_ids::{SessionId, UserId};

use crate::fixture::{World, caller, claims, noon};

fn revocation(position: i64, what: Revoked) -> Revocation {
    Revocation { position, what, issued_until: noon(), forget_at: noon() + TimeDelta::minutes(15) }
}

#[test]
fn a_remembered_token_is_refused_as_soon_as_its_session_ends() {
    let world = World::new(Algorithm::Es256);
    let claims = claims(noon());
    let token = world.key.sign(&claims).unwrap();
    assert!(world.verify(&token).is_ok());
    world.revocations.apply(revocation(1, Revoked::Session(claims.session)));
    assert_eq!(world.verify(&token).unwrap_err(), TokenError::Revoked);
}

#[test]
fn a_session_ends_alone_and_a_user_with_all_sessions() {
    let list = RevocationList::new();
    let ended = caller();
    let mut other_session = ended.clone();
    other_session.session = SessionId::new();
    list.apply(revocation(1, Revoked::Session(ended.session)));
    assert!(list.is_revoked(&ended));
    assert!(!list.is_revoked(&other_session));
    list.apply(revocation(2, Revoked::User(ended.user)));
    assert!(list.is_revoked(&other_session));
    assert!(!list.is_revoked(&caller()));
    assert_eq!((list.position(), list.len()), (2, 2));
}

#[test]
fn a_token_issued_later_in_the_same_second_is_accepted() {
    let world = World::new(Algorithm::Es256);
    let before = claims(noon());
    world.revocations.apply(revocation(1, Revoked::User(before.user)));
    let mut after = before.clone();
    after.issued_at = noon() + TimeDelta::microseconds(1);
    assert_eq!(after.issued_at.timestamp(), before.issued_at.timestamp());
    assert_eq!(world.verify(&world.key.sign(&before).unwrap()).unwrap_err(), TokenError::Revoked);
    assert!(world.verify(&world.key.sign(&after).unwrap()).is_ok());
}

#[test]
fn a_repeated_or_earlier_revocation_takes_nothing_back() {
    let list = RevocationList::new();
    let mut late = caller();
    late.issued_at = noon() + TimeDelta::seconds(5);
    let what = Revoked::User(late.user);
    list.apply(Revocation { issued_until: noon() + TimeDelta::seconds(10), ..revocation(7, what) });
    list.apply(revocation(3, what));
    assert_eq!(list.position(), 7);
    assert!(list.is_revoked(&late));
}

#[test]
fn a_list_is_fresh_for_two_seconds_after_a_heartbeat_that_it_has_caught_up_with() {
    let (list, start) = (RevocationList::new(), Instant::now());
    let after = |millis| start + Duration::from_millis(millis);
    assert!(!list.is_fresh(start));
    assert_eq!(list.heartbeat(0, start), Progress::Current);
    assert!(list.is_fresh(after(2_000)));
    assert!(!list.is_fresh(after(2_001)));

    assert_eq!(list.heartbeat(2, after(1_500)), Progress::Behind);
    assert!(!list.is_fresh(after(2_500)));
    list.apply(revocation(1, Revoked::User(UserId::new())));
    assert!(!list.is_fresh(after(2_500)));
    list.apply(revocation(2, Revoked::User(UserId::new())));
    assert!(list.is_fresh(after(2_500)));
    assert!(!list.is_fresh(after(3_501)));
}

#[test]
fn an_older_heartbeat_does_not_take_freshness_back() {
    let (list, start) = (RevocationList::new(), Instant::now());
    list.heartbeat(0, start + Duration::from_secs(5));
    list.heartbeat(0, start);
    assert!(list.is_fresh(start + Duration::from_secs(7)));
}

#[test]
fn an_issuer_that_went_back_in_time_is_read_from_the_start() {
    let (list, now) = (RevocationList::new(), Instant::now());
    let ended = caller();
    list.apply(revocation(9, Revoked::User(ended.user)));
    assert_eq!(list.heartbeat(9, now), Progress::Current);
    assert_eq!(list.heartbeat(4, now), Progress::Reopen);
    assert_eq!(list.position(), 0);
    assert!(!list.is_fresh(now));
    assert!(list.is_revoked(&ended), "what is known stays known");
}

#[test]
fn a_revocation_is_forgotten_when_no_verifier_takes_its_tokens_any_more() {
    let list = RevocationList::new();
    let ended = caller();
    list.apply(revocation(1, Revoked::Session(ended.session)));
    let end = noon() + TimeDelta::minutes(15) + TimeDelta::seconds(30);
    list.forget(end - TimeDelta::microseconds(1));
    assert!(list.is_revoked(&ended));
    list.forget(end);
    assert!(list.is_empty());
    assert_eq!(list.position(), 1);
}
