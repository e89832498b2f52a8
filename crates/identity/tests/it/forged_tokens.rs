//! The table of tokens that must not pass, each with the reason why it does not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use taskman_errors::{Failure, Kind};
use taskman_identity::{Algorithm, SigningKey, TokenError};

use crate::fixture::{World, claims, noon, sign_with, with, without};

fn payload() -> Value {
    serde_json::to_value(claims(noon())).unwrap()
}

/// Signs `payload` under a good header with the issuer's key.
fn verify_payload(world: &World, payload: &str) -> Result<(), TokenError> {
    world.verify(&world.sign_text(&world.header().to_string(), payload)).map(|_| ())
}

#[test]
fn the_hand_made_token_of_these_tests_passes_when_nothing_is_wrong() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256] {
        let world = World::new(algorithm);
        assert_eq!(verify_payload(&world, &payload().to_string()), Ok(()));
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let world = World::new(Algorithm::Es256);
    let good = world.key.sign(&claims(noon())).unwrap();
    assert_eq!(world.verify("").unwrap_err(), TokenError::Missing);
    let cases = [
        "x".to_owned(),
        "..".to_owned(),
        "a.b".to_owned(),
        format!("{good}.{good}"),
        format!("Bearer {good}"),
        format!(" {good}"),
        "tmr_0193e1a0-0000-7000-8000-000000000000.c2VjcmV0".to_owned(),
    ];
    for case in cases {
        assert_eq!(world.verify(&case).unwrap_err(), TokenError::Malformed, "{case}");
    }
}

#[test]
fn anything_after_the_signature_is_refused() {
    let world = World::new(Algorithm::Es256);
    let good = world.key.sign(&claims(noon())).unwrap();
    for tail in ["A", "AAAA", "=", "==", "\n", " ", "\0"] {
        assert_eq!(world.verify(&format!("{good}{tail}")).unwrap_err(), TokenError::BadSignature, "{tail:?}");
    }
}

#[test]
fn a_token_of_more_than_8_kib_is_refused_before_it_is_read() {
    let world = World::new(Algorithm::Es256);
    let mut large = claims(noon());
    large.roles = vec!["r".repeat(100); 100];
    let token = world.key.sign(&large).unwrap();
    assert!(token.len() > 8 * 1024);
    assert_eq!(world.verify(&token).unwrap_err(), TokenError::Malformed);
    large.roles.truncate(40);
    assert!(world.verify(&world.key.sign(&large).unwrap()).is_ok());
}

#[test]
fn unsigned_tokens_are_refused() {
    let world = World::new(Algorithm::Es256);
    for alg in ["none", "None", "NONE", ""] {
        let header = with(&world.header(), "alg", json!(alg));
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(payload().to_string()));
        for token in [format!("{message}."), world.sign_text(&header, &payload().to_string())] {
            assert_eq!(world.verify(&token).unwrap_err(), TokenError::BadSignature, "{alg}");
        }
    }
}

#[test]
fn the_public_key_is_no_secret_to_sign_with() {
    let world = World::new(Algorithm::Es256);
    let jwk = world.key.public_jwk().unwrap();
    let x = URL_SAFE_NO_PAD.decode(&jwk.x).unwrap();
    let point = [vec![4], x.clone(), URL_SAFE_NO_PAD.decode(jwk.y.as_ref().unwrap()).unwrap()].concat();
    for secret in [point, x, serde_json::to_vec(&jwk).unwrap(), jwk.x.into_bytes()] {
        for alg in ["HS256", "ES256"] {
            let header = with(&world.header(), "alg", json!(alg));
            let key = EncodingKey::from_secret(&secret);
            let token = sign_with(&key, jsonwebtoken::Algorithm::HS256, &header, &payload().to_string());
            assert_eq!(world.verify(&token).unwrap_err(), TokenError::BadSignature, "{alg}");
        }
    }
}

#[test]
fn a_key_verifies_its_own_algorithm_only() {
    let world = World::new(Algorithm::Es256);
    for alg in ["EdDSA", "HS256", "ES384", "RS256", "es256"] {
        let token = world.sign_text(&with(&world.header(), "alg", json!(alg)), &payload().to_string());
        assert_eq!(world.verify(&token).unwrap_err(), TokenError::BadSignature, "{alg}");
    }
}

#[test]
fn a_foreign_key_is_refused_under_its_own_id_and_under_ours() {
    let world = World::new(Algorithm::Es256);
    let foreign = SigningKey::generate(Algorithm::Es256, noon()).unwrap();
    assert_eq!(world.verify(&foreign.sign(&claims(noon())).unwrap()).unwrap_err(), TokenError::UnknownKey);

    let stolen_id = SigningKey::from_pkcs8(world.key.kid(), Algorithm::Es256, &foreign.to_pkcs8(), noon()).unwrap();
    assert_eq!(world.verify(&stolen_id.sign(&claims(noon())).unwrap()).unwrap_err(), TokenError::BadSignature);
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let world = World::new(Algorithm::Es256);
    let foreign = SigningKey::generate(Algorithm::Es256, noon()).unwrap();
    let key = EncodingKey::from_ec_der(foreign.to_pkcs8().expose_secret());
    let brought = [
        ("jwk", serde_json::to_value(foreign.public_jwk()).unwrap()),
        ("jku", json!("https://keys.example.test/jwks.json")),
        ("x5u", json!("https://keys.example.test/chain.pem")),
        ("x5c", json!(["MIIB"])),
    ];
    for (name, value) in brought {
        let header = with(&world.header(), name, value.clone());
        let token = sign_with(&key, jsonwebtoken::Algorithm::ES256, &header, &payload().to_string());
        assert_eq!(world.verify(&token).unwrap_err(), TokenError::BadSignature, "{name}");
        // Under our own signature it is ignored, whatever it says.
        assert!(world.verify(&world.sign_text(&header, &payload().to_string())).is_ok(), "{name}");
    }
}

#[test]
fn a_header_that_is_not_ours_is_refused() {
    let world = World::new(Algorithm::Es256);
    let header = world.header();
    let mut cases = vec![
        with(&header, "crit", json!(["exp"])),
        with(&header, "crit", json!([])),
        with(&header, "crit", Value::Null),
        with(&header, "kid", json!("k".repeat(129))),
        with(&header, "kid", json!(7)),
        with(&header, "alg", json!(["ES256"])),
        without(&header, "kid"),
        without(&header, "typ"),
        without(&header, "alg"),
        format!("{header}{{}}"),
        format!(r#"{{"kid":"x",{}"#, &header.to_string()[1..]),
        format!(r#"{{"x":1,"x":2,{}"#, &header.to_string()[1..]),
        "[]".to_owned(),
        String::new(),
    ];
    cases.extend(["JWT", "jwt", "at+jwt ", "rt+jwt", "id_token", ""].map(|typ| with(&header, "typ", json!(typ))));
    for case in cases {
        let token = world.sign_text(&case, &payload().to_string());
        assert_eq!(world.verify(&token).unwrap_err(), TokenError::Malformed, "{case}");
    }
}

#[test]
fn times_that_are_not_whole_seconds_of_our_era_are_refused() {
    let world = World::new(Algorithm::Es256);
    let bad = [
        json!("1795263300"),
        json!(-1),
        json!(1_795_263_300.5),
        json!(1e300),
        json!(1.795_263_3e9),
        json!(253_402_300_800_u64),
        json!(u64::MAX),
        json!(true),
        json!([1_795_263_300]),
        Value::Null,
    ];
    for claim in ["iat", "iat_us", "nbf", "exp", "auth_time"] {
        for value in &bad {
            let refused = verify_payload(&world, &with(&payload(), claim, value.clone()));
            assert_eq!(refused, Err(TokenError::Malformed), "{claim} {value}");
        }
    }
    let huge = payload().to_string().replacen(r#""exp":"#, r#""exp":99999999999999999999999"#, 1);
    assert_eq!(verify_payload(&world, &huge), Err(TokenError::Malformed));
}

#[test]
fn every_claim_is_needed_and_stands_once() {
    let world = World::new(Algorithm::Es256);
    let good = payload();
    for (name, value) in good.as_object().unwrap() {
        assert_eq!(verify_payload(&world, &without(&good, name)), Err(TokenError::Malformed), "{name}");
        let twice = format!("{},\"{name}\":{value}}}", good.to_string().trim_end_matches('}'));
        assert_eq!(verify_payload(&world, &twice), Err(TokenError::Malformed), "{name} twice");
    }
    let unknown_twice = format!(r#"{{"x":1,"x":1,{}"#, &good.to_string()[1..]);
    assert_eq!(verify_payload(&world, &unknown_twice), Err(TokenError::Malformed));
    let trailing = format!("{good} {{}}");
    assert_eq!(verify_payload(&world, &trailing), Err(TokenError::Malformed));
    // A claim that a later version adds does not shut anybody out.
    assert_eq!(verify_payload(&world, &with(&good, "added_later", json!(1))), Ok(()));
}

#[test]
fn claims_that_contradict_each_other_are_refused() {
    let world = World::new(Algorithm::Es256);
    let (good, other) = (payload(), payload());
    for name in ["user_id", "sub", "tenant_id", "company_id"] {
        let forged = with(&good, name, other[name].clone());
        assert_eq!(verify_payload(&world, &forged), Err(TokenError::Malformed), "{name}");
    }
    let iat = good["iat"].as_u64().unwrap();
    for (name, value) in [("iat", iat + 1), ("iat_us", (iat + 1) * 1_000_000)] {
        assert_eq!(verify_payload(&world, &with(&good, name, json!(value))), Err(TokenError::Malformed), "{name}");
    }
    for (name, value) in [("sub", json!("root")), ("sid", json!("")), ("iam_position", json!(-1)), ("roles", json!(""))]
    {
        assert_eq!(verify_payload(&world, &with(&good, name, value)), Err(TokenError::Malformed), "{name}");
    }
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let world = World::new(Algorithm::Es256);
    for issuer in ["https://auth.example.test", "https://auth.example.com/", ""] {
        assert_eq!(verify_payload(&world, &with(&payload(), "iss", json!(issuer))), Err(TokenError::WrongIssuer));
    }
    for audience in ["taskman-admin", "TASKMAN", ""] {
        assert_eq!(verify_payload(&world, &with(&payload(), "aud", json!(audience))), Err(TokenError::WrongAudience));
    }
    for several in [json!(["taskman"]), json!(["taskman", "other"])] {
        assert_eq!(verify_payload(&world, &with(&payload(), "aud", several)), Err(TokenError::Malformed));
    }
}

#[test]
fn one_changed_character_anywhere_is_refused() {
    let world = World::new(Algorithm::Es256);
    let good = world.key.sign(&claims(noon())).unwrap();
    assert!(world.verify(&good).is_ok());
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(world.verify(std::str::from_utf8(&bytes).unwrap()).is_err(), "at {at}");
    }
}

#[test]
fn clients_learn_nothing_that_helps_to_forge() {
    let told = |error: TokenError| (error.kind(), error.reason(), error.to_string());
    let vague = told(TokenError::Malformed);
    assert_eq!((vague.0, vague.1), (Kind::Unauthenticated, "TOKEN_INVALID"));
    for error in [
        TokenError::UnknownKey,
        TokenError::BadSignature,
        TokenError::WrongIssuer,
        TokenError::WrongAudience,
        TokenError::NotYetValid,
        TokenError::Revoked,
    ] {
        assert_eq!(told(error), vague);
    }
    assert_eq!(TokenError::Missing.reason(), "TOKEN_MISSING");
}
