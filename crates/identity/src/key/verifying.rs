//! The keys that verify access tokens, replaced as a whole while others read them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret, SecretSlice};

use super::{Algorithm, Jwk, KeyError, MIN_SECRET, check_id};

/// A key with its id and the one algorithm that it verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    algorithm: Algorithm,
    key: DecodingKey,
    fingerprint: [u8; 32],
}

impl VerifyingKey {
    /// Reads a published key; anything but an ES256 or EdDSA signature key is refused.
    pub fn from_jwk(jwk: Jwk) -> Result<Self, KeyError> {
        check_id(&jwk.kid)?;
        let form = (jwk.use_.as_str(), jwk.kty.as_str(), jwk.alg.as_str(), jwk.crv.as_str(), &jwk.y);
        let (algorithm, point) = match form {
            ("sig", "EC", "ES256", "P-256", Some(y)) => {
                (Algorithm::Es256, [&[4], coordinate(&jwk.x)?.as_slice(), coordinate(y)?.as_slice()].concat())
            }
            ("sig", "OKP", "EdDSA", "Ed25519", None) => (Algorithm::EdDsa, coordinate(&jwk.x)?.to_vec()),
            _ => return Err(KeyError::Unsupported),
        };
        let (verification, key): (&'static dyn VerificationAlgorithm, _) = if algorithm == Algorithm::Es256 {
            (&ECDSA_P256_SHA256_FIXED, DecodingKey::from_ec_der(&point))
        } else {
            (&ED25519, DecodingKey::from_ed_der(&point))
        };
        // Parsed here only to refuse a point that is not on the curve before it is used.
        ParsedPublicKey::new(verification, &point).map_err(|_| KeyError::Invalid)?;
        Ok(Self { kid: jwk.kid, algorithm, key, fingerprint: fingerprint(algorithm, &point) })
    }

    /// Takes a configured symmetric secret of at least 32 bytes.
    pub fn hs256(kid: impl Into<String>, secret: &SecretSlice<u8>) -> Result<Self, KeyError> {
        let kid = kid.into();
        check_id(&kid)?;
        let bytes = secret.expose_secret();
        if bytes.len() < MIN_SECRET {
            return Err(KeyError::TooShort);
        }
        let fingerprint = fingerprint(Algorithm::Hs256, bytes);
        Ok(Self { kid, algorithm: Algorithm::Hs256, key: DecodingKey::from_secret(bytes), fingerprint })
    }

    /// Returns the key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the one algorithm that the key verifies.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Says whether `signature` (base64url) is this key's for `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm.jws()).unwrap_or(false)
    }

    /// Returns what tells this key from every other, whatever its id.
    pub(crate) const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The keys that are trusted now. Clones share them: a replacement is seen by all.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Arc<ArcSwap<HashMap<String, VerifyingKey>>>);

impl KeySet {
    /// Starts with no key, so that every token is signed with an unknown one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts exactly `keys` from now on.
    pub fn replace(&self, keys: Vec<VerifyingKey>) {
        self.0.store(Arc::new(keys.into_iter().map(|key| (key.kid.clone(), key)).collect()));
    }

    /// Finds the key of that id.
    pub fn find(&self, kid: &str) -> Option<VerifyingKey> {
        self.0.load().get(kid).cloned()
    }

    /// Says whether no key is trusted yet.
    pub fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    /// Says whether exactly the key with that id and fingerprint is trusted now.
    pub(crate) fn trusts(&self, kid: &str, fingerprint: [u8; 32]) -> bool {
        self.0.load().get(kid).is_some_and(|key| key.fingerprint == fingerprint)
    }
}

fn coordinate(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Invalid)?;
    bytes.try_into().map_err(|_| KeyError::Invalid)
}

fn fingerprint(algorithm: Algorithm, key: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&SHA256);
    context.update(algorithm.name().as_bytes());
    context.update(&[0]);
    context.update(key);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::SigningKey;

    fn jwk(algorithm: Algorithm) -> Jwk {
        SigningKey::generate(algorithm, DateTime::UNIX_EPOCH).unwrap().public_jwk().unwrap()
    }

    #[test]
    fn a_published_key_is_read_with_its_own_algorithm() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let text = serde_json::to_string(&jwk(algorithm)).unwrap();
            let key = VerifyingKey::from_jwk(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
        }
    }

    #[test]
    fn keys_of_another_type_or_use_are_refused() {
        let good = jwk(Algorithm::Es256);
        let cases = [
            Jwk { kty: "oct".to_owned(), ..good.clone() },
            Jwk { use_: "enc".to_owned(), ..good.clone() },
            Jwk { alg: "HS256".to_owned(), ..good.clone() },
            Jwk { alg: "EdDSA".to_owned(), ..good.clone() },
            Jwk { crv: "P-384".to_owned(), ..good.clone() },
            Jwk { y: None, ..good.clone() },
        ];
        for case in cases {
            assert_eq!(VerifyingKey::from_jwk(case).unwrap_err(), KeyError::Unsupported);
        }
        assert_eq!(VerifyingKey::from_jwk(Jwk { kid: String::new(), ..good }).unwrap_err(), KeyError::BadId);
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let good = jwk(Algorithm::Es256);
        let off = Jwk { y: Some(good.x.clone()), ..good.clone() };
        let short = Jwk { x: "AQAB".to_owned(), ..good };
        for case in [off, short] {
            assert_eq!(VerifyingKey::from_jwk(case).unwrap_err(), KeyError::Invalid);
        }
    }

    #[test]
    fn clones_of_a_key_set_see_a_replacement() {
        let keys = KeySet::new();
        let other = keys.clone();
        let key = VerifyingKey::from_jwk(jwk(Algorithm::EdDsa)).unwrap();
        keys.replace(vec![key.clone()]);
        assert!(other.find(key.kid()).is_some());
        keys.replace(Vec::new());
        assert!(other.is_empty());
    }
}
