//! Keys of access tokens: the algorithms, their public form, and what can be wrong with them.

mod signing;
mod verifying;

use serde::{Deserialize, Serialize};
use taskman_errors::{Failure, Kind};

pub use signing::SigningKey;
pub use verifying::{KeySet, VerifyingKey};

/// The fewest bytes of a symmetric secret: as many as the hash gives (RFC 7518, 3.2).
pub(crate) const MIN_SECRET: usize = 32;

/// The longest key id that is looked up.
pub(crate) const MAX_KEY_ID: usize = 128;

/// How tokens are signed. A key has one algorithm for its whole life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: what gateways, meshes and client libraries all read.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256: every verifier could also sign, so it has no public form.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// Returns the name in RFC 7518 and RFC 8037.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// Finds the algorithm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Es256, Self::EdDsa, Self::Hs256].into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(crate) const fn jws(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

/// A public key as it is published (RFC 7517, RFC 7518, RFC 8037); the names are the standard's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `EC` or `OKP`.
    pub kty: String,
    /// Use: `sig`.
    #[serde(rename = "use")]
    pub use_: String,
    /// Algorithm: `ES256` or `EdDSA`.
    pub alg: String,
    /// Key id.
    pub kid: String,
    /// Curve: `P-256` or `Ed25519`.
    pub crv: String,
    /// X coordinate, or the whole Ed25519 key, in base64url.
    pub x: String,
    /// Y coordinate in base64url; Ed25519 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is not one of its algorithm, or damaged.
    #[error("the key is not a valid key of its algorithm")]
    Invalid,
    /// The key is of a type or use that signs no tokens here.
    #[error("the key is of a type or use that is not taken here")]
    Unsupported,
    /// The key id is empty or too long.
    #[error("the key id is empty or longer than 128 bytes")]
    BadId,
    /// A symmetric secret is too short.
    #[error("the secret is shorter than 32 bytes")]
    TooShort,
    /// The machine gave no randomness, or the signature could not be made.
    #[error("the cryptographic library failed")]
    Crypto,
}

impl Failure for KeyError {
    fn kind(&self) -> Kind {
        Kind::Internal
    }

    fn reason(&self) -> &'static str {
        "INTERNAL"
    }
}

pub(crate) fn check_id(kid: &str) -> Result<(), KeyError> {
    if kid.is_empty() || kid.len() > MAX_KEY_ID { Err(KeyError::BadId) } else { Ok(()) }
}
