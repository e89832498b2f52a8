//! An issuer with its keys, and a verifier that trusts it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::sync::Arc;
use taskman_clock::ManualClock;
use taskman_identity::{
    Algorithm, Caller, Claims, Client, KeySet, RevocationList, SigningKey, TokenError, TokenVerifier, Verified,
};
use taskman_ids::{CompanyId, RequestId, SessionId, UserId, new_uuid};

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "taskman";

/// An instant within a second, so that rounding to seconds shows.
pub(crate) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_795_262_400_500_250).unwrap()
}

pub(crate) fn claims(now: DateTime<Utc>) -> Claims {
    Claims {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        user: UserId::new(),
        company: CompanyId::new(),
        session: SessionId::new(),
        email: "ada@example.com".to_owned(),
        roles: vec!["developer".to_owned()],
        iam_position: 7,
        token: new_uuid(),
        issued_at: now,
        not_before: now,
        expires_at: now + TimeDelta::minutes(15),
        authenticated_at: now,
    }
}

pub(crate) fn client() -> Client {
    Client::unknown(RequestId::new())
}

pub(crate) fn caller() -> Caller {
    claims(noon()).caller(client())
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) key: SigningKey,
    pub(crate) keys: KeySet,
    pub(crate) revocations: RevocationList,
    pub(crate) verifier: TokenVerifier,
}

impl World {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let clock = ManualClock::at(noon());
        let key = SigningKey::generate(algorithm, noon()).unwrap();
        let (keys, revocations) = (KeySet::new(), RevocationList::new());
        keys.replace(vec![key.verifying_key().unwrap()]);
        let shared = Arc::new(clock.clone());
        let verifier = TokenVerifier::new(keys.clone(), ISSUER, AUDIENCE, shared, revocations.clone());
        Self { clock, key, keys, revocations, verifier }
    }

    pub(crate) fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        self.verifier.verify(token, client())
    }

    /// Signs any header and payload with the issuer's own key, as only a leaked key or a faulty issuer could.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let private = self.key.to_pkcs8();
        let (key, algorithm) = match self.key.algorithm() {
            Algorithm::Es256 => (EncodingKey::from_ec_der(private.expose_secret()), jsonwebtoken::Algorithm::ES256),
            Algorithm::EdDsa => (EncodingKey::from_ed_der(private.expose_secret()), jsonwebtoken::Algorithm::EdDSA),
            Algorithm::Hs256 => (EncodingKey::from_secret(private.expose_secret()), jsonwebtoken::Algorithm::HS256),
        };
        sign_with(&key, algorithm, header, payload)
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        serde_json::json!({"typ": "at+jwt", "alg": self.key.algorithm().name(), "kid": self.key.kid()})
    }
}

pub(crate) fn sign_with(key: &EncodingKey, algorithm: jsonwebtoken::Algorithm, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// `object` with `name` set to `value`.
pub(crate) fn with(object: &Value, name: &str, value: Value) -> String {
    let mut object = object.clone();
    object.as_object_mut().unwrap().insert(name.to_owned(), value);
    object.to_string()
}

/// `object` without `name`.
pub(crate) fn without(object: &Value, name: &str) -> String {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name).unwrap();
    object.to_string()
}
