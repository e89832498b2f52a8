//! Good tokens: what they give, for how long, and through a change of keys.

use chrono::TimeDelta;
use serde_json::json;
use taskman_clock::Clock;
use taskman_identity::{Algorithm, Freshness, SigningKey, TokenError};

use crate::fixture::{World, claims, client, noon};

#[test]
fn a_token_of_each_algorithm_gives_its_caller_back() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256] {
        let world = World::new(algorithm);
        let claims = claims(noon());
        let client = client();
        let token = world.key.sign(&claims).unwrap();
        let caller = world.verifier.verify(&token, client.clone()).unwrap().caller;
        assert_eq!(caller.issued_at, noon());
        assert_eq!(caller.expires_at.timestamp(), claims.expires_at.timestamp());
        assert_eq!(caller.expires_at.timestamp_subsec_micros(), 0);
        let mut expected = claims.caller(client);
        expected.expires_at = caller.expires_at;
        assert_eq!(caller, expected);
    }
}

#[test]
fn the_wire_form_is_the_documented_one() {
    let world = World::new(Algorithm::Es256);
    let claims = claims(noon());
    let header = jsonwebtoken::decode_header(world.key.sign(&claims).unwrap()).unwrap();
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(header.kid.as_deref(), Some(world.key.kid()));
    assert_eq!(
        serde_json::to_value(&claims).unwrap(),
        json!({
            "iss": "https://auth.example.com", "aud": "taskman",
            "sub": claims.user, "user_id": claims.user,
            "company_id": claims.company, "tenant_id": claims.company,
            "email": "ada@example.com", "roles": ["developer"], "iam_position": 7,
            "sid": claims.session, "jti": claims.token,
            "iat": 1_795_262_400, "iat_us": 1_795_262_400_500_250_u64, "nbf": 1_795_262_400,
            "exp": 1_795_263_300, "auth_time": 1_795_262_400,
        })
    );
}

#[test]
fn a_token_is_good_until_its_end_and_the_leeway() {
    let end = noon() - TimeDelta::microseconds(500_250) + TimeDelta::minutes(15) + TimeDelta::seconds(30);
    for remembered in [true, false] {
        let world = World::new(Algorithm::EdDsa);
        let token = world.key.sign(&claims(noon())).unwrap();
        if remembered {
            assert!(world.verify(&token).is_ok());
        }
        world.clock.set(end - TimeDelta::microseconds(1));
        assert!(world.verify(&token).is_ok());
        world.clock.set(end);
        assert_eq!(world.verify(&token).unwrap_err(), TokenError::Expired);
    }
}

#[test]
fn an_expired_token_that_is_new_here_is_refused() {
    let world = World::new(Algorithm::EdDsa);
    let token = world.key.sign(&claims(noon())).unwrap();
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.verify(&token).unwrap_err(), TokenError::Expired);
}

#[test]
fn a_token_from_the_future_is_refused() {
    let world = World::new(Algorithm::EdDsa);
    let second = TimeDelta::seconds(1);
    let mut later = claims(noon());
    later.not_before = noon() + TimeDelta::seconds(30);
    assert!(world.verify(&world.key.sign(&later).unwrap()).is_ok());
    later.not_before += second;
    assert_eq!(world.verify(&world.key.sign(&later).unwrap()).unwrap_err(), TokenError::NotYetValid);

    let mut issued_later = claims(noon() + TimeDelta::seconds(31));
    issued_later.not_before = noon();
    let token = world.key.sign(&issued_later).unwrap();
    assert_eq!(world.verify(&token).unwrap_err(), TokenError::NotYetValid);
    world.clock.advance(second);
    assert!(world.verify(&token).is_ok());
}

#[test]
fn tokens_of_both_keys_pass_during_a_rotation() {
    let world = World::new(Algorithm::Es256);
    let next = SigningKey::generate(Algorithm::EdDsa, world.clock.now()).unwrap();
    let (old_token, new_token) = (world.key.sign(&claims(noon())).unwrap(), next.sign(&claims(noon())).unwrap());
    assert!(world.verify(&old_token).is_ok());
    assert_eq!(world.verify(&new_token).unwrap_err(), TokenError::UnknownKey);

    world.keys.replace(vec![world.key.verifying_key().unwrap(), next.verifying_key().unwrap()]);
    assert!(world.verify(&old_token).is_ok());
    assert!(world.verify(&new_token).is_ok());
}

#[test]
fn a_remembered_token_ends_with_its_key() {
    let world = World::new(Algorithm::Es256);
    let token = world.key.sign(&claims(noon())).unwrap();
    assert!(world.verify(&token).is_ok());

    world.keys.replace(Vec::new());
    assert_eq!(world.verify(&token).unwrap_err(), TokenError::UnknownKey);

    let other = SigningKey::generate(Algorithm::Es256, noon()).unwrap().to_pkcs8();
    let same_id = SigningKey::from_pkcs8(world.key.kid(), Algorithm::Es256, &other, noon()).unwrap();
    world.keys.replace(vec![same_id.verifying_key().unwrap()]);
    assert_eq!(world.verify(&token).unwrap_err(), TokenError::BadSignature);
}

#[test]
fn a_remembered_token_carries_the_client_of_each_call() {
    let world = World::new(Algorithm::Es256);
    let token = world.key.sign(&claims(noon())).unwrap();
    let (first, second) = (client(), client());
    assert_eq!(world.verifier.verify(&token, first.clone()).unwrap().caller.client, first);
    assert_eq!(world.verifier.verify(&token, second.clone()).unwrap().caller.client, second);
}

#[test]
fn without_a_heartbeat_nothing_is_vouched_for() {
    let world = World::new(Algorithm::Es256);
    let token = world.key.sign(&claims(noon())).unwrap();
    assert_eq!(world.verify(&token).unwrap().freshness, Freshness::Unknown);
    world.revocations.heartbeat(0, std::time::Instant::now() + std::time::Duration::from_hours(1));
    assert_eq!(world.verify(&token).unwrap().freshness, Freshness::Fresh);
}
