//! The key that signs access tokens.

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret, SecretSlice};

use super::{Algorithm, Jwk, KeyError, MIN_SECRET, VerifyingKey, check_id};
use crate::claims::Claims;
use crate::token::TOKEN_TYPE;

/// A private key with its id. Its bytes are wiped when it is dropped, and `Debug` does not show them.
#[derive(Debug, Clone)]
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    created_at: DateTime<Utc>,
    private: EncodingKey,
    public: Option<Jwk>,
}

impl SigningKey {
    /// Makes a new key with a new id.
    pub fn generate(algorithm: Algorithm, now: DateTime<Utc>) -> Result<Self, KeyError> {
        let private: SecretSlice<u8> = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                pair.map_err(|_| KeyError::Crypto)?.as_ref().to_vec().into()
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1());
                pair.map_err(|_| KeyError::Crypto)?.as_ref().to_vec().into()
            }
            Algorithm::Hs256 => {
                let mut secret = vec![0; MIN_SECRET];
                rand::fill(&mut secret).map_err(|_| KeyError::Crypto)?;
                secret.into()
            }
        };
        Self::from_pkcs8(taskman_ids::new_uuid().to_string(), algorithm, &private, now)
    }

    /// Reads back what [`SigningKey::to_pkcs8`] gave.
    pub fn from_pkcs8(
        kid: impl Into<String>,
        algorithm: Algorithm,
        private: &SecretSlice<u8>,
        created_at: DateTime<Utc>,
    ) -> Result<Self, KeyError> {
        let kid = kid.into();
        check_id(&kid)?;
        let bytes = private.expose_secret();
        let (private, public) = match algorithm {
            Algorithm::Es256 => (EncodingKey::from_ec_der(bytes), Some(p256_jwk(&kid, bytes)?)),
            Algorithm::EdDsa => (EncodingKey::from_ed_der(bytes), Some(ed25519_jwk(&kid, bytes)?)),
            Algorithm::Hs256 if bytes.len() < MIN_SECRET => return Err(KeyError::TooShort),
            Algorithm::Hs256 => (EncodingKey::from_secret(bytes), None),
        };
        Ok(Self { kid, algorithm, created_at, private, public })
    }

    /// Makes a symmetric key of a configured secret of at least 32 bytes.
    pub fn hs256(
        kid: impl Into<String>,
        secret: &SecretSlice<u8>,
        created_at: DateTime<Utc>,
    ) -> Result<Self, KeyError> {
        Self::from_pkcs8(kid, Algorithm::Hs256, secret, created_at)
    }

    /// Returns the private key for sealed storage: PKCS#8 DER, or the bare secret of a symmetric key.
    pub fn to_pkcs8(&self) -> SecretSlice<u8> {
        self.private.as_bytes().to_vec().into()
    }

    /// Returns the key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns how the key signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns when the key was made.
    pub const fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Returns what is published of the key: nothing of a symmetric one.
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.public.clone()
    }

    /// Returns the key that verifies what this one signs.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        match self.public_jwk() {
            Some(jwk) => VerifyingKey::from_jwk(jwk),
            None => VerifyingKey::hs256(self.kid.clone(), &self.to_pkcs8()),
        }
    }

    /// Signs `claims` into an access token.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let mut header = Header::new(self.algorithm.jws());
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.private).map_err(|_| KeyError::Crypto)
    }
}

fn p256_jwk(kid: &str, pkcs8: &[u8]) -> Result<Jwk, KeyError> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| KeyError::Invalid)?;
    // The uncompressed point (SEC 1, 2.3.3): 0x04, then x and y of 32 bytes each.
    let point = pair.public_key().as_ref();
    let (Some(x), Some(y), 65) = (point.get(1..33), point.get(33..65), point.len()) else {
        return Err(KeyError::Invalid);
    };
    Ok(Jwk {
        kty: "EC".to_owned(),
        use_: "sig".to_owned(),
        alg: Algorithm::Es256.name().to_owned(),
        kid: kid.to_owned(),
        crv: "P-256".to_owned(),
        x: URL_SAFE_NO_PAD.encode(x),
        y: Some(URL_SAFE_NO_PAD.encode(y)),
    })
}

fn ed25519_jwk(kid: &str, pkcs8: &[u8]) -> Result<Jwk, KeyError> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Invalid)?;
    Ok(Jwk {
        kty: "OKP".to_owned(),
        use_: "sig".to_owned(),
        alg: Algorithm::EdDsa.name().to_owned(),
        kid: kid.to_owned(),
        crv: "Ed25519".to_owned(),
        x: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        y: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_comes_back_the_same() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256] {
            let key = SigningKey::generate(algorithm, DateTime::UNIX_EPOCH).unwrap();
            let again = SigningKey::from_pkcs8(key.kid(), algorithm, &key.to_pkcs8(), key.created_at()).unwrap();
            assert_eq!(again.public_jwk(), key.public_jwk());
            assert_eq!(again.to_pkcs8().expose_secret(), key.to_pkcs8().expose_secret());
        }
    }

    #[test]
    fn a_damaged_or_foreign_private_key_is_refused() {
        let es256 = SigningKey::generate(Algorithm::Es256, DateTime::UNIX_EPOCH).unwrap().to_pkcs8();
        let read = |algorithm, bytes: &[u8]| {
            SigningKey::from_pkcs8("k", algorithm, &bytes.to_vec().into(), DateTime::UNIX_EPOCH).err()
        };
        assert_eq!(read(Algorithm::EdDsa, es256.expose_secret()), Some(KeyError::Invalid));
        assert_eq!(read(Algorithm::Es256, &es256.expose_secret()[1..]), Some(KeyError::Invalid));
        assert_eq!(read(Algorithm::Hs256, &[7; 31]), Some(KeyError::TooShort));
    }

    #[test]
    fn debug_text_does_not_show_the_secret() {
        let secret: SecretSlice<u8> = b"a secret of thirty-two bytes ...".to_vec().into();
        let key = SigningKey::hs256("k", &secret, DateTime::UNIX_EPOCH).unwrap();
        let text = format!("{key:?}");
        assert!(text.contains("redacted"), "{text}");
        assert!(!text.contains("97, 32, 115") && !text.contains("thirty"), "{text}");
    }
}
