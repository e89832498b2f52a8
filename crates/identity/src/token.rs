//! Verifies access tokens.

mod memory;

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use taskman_clock::SharedClock;
use taskman_errors::{Failure, Kind};

use crate::caller::{Caller, Client};
use crate::claims::Claims;
use crate::key::{KeySet, MAX_KEY_ID, VerifyingKey};
use crate::revocation::RevocationList;
use crate::strict_json::{self, Present};
use memory::{Memory, Remembered};

/// How far the clocks of two machines may be apart.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// The `typ` of an access token (RFC 9068), so that no other kind of token can be passed off as one.
pub(crate) const TOKEN_TYPE: &str = "at+jwt";

/// The longest token that is read, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// Why a token is refused. Clients are told no more than that there is none, that it expired, or that it is not valid;
/// [`TokenError::label`] says more, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no token.
    #[error("an access token is needed")]
    Missing,
    /// It is not a token as ours are: its form, its header or its claims.
    #[error("the access token is not valid")]
    Malformed,
    /// Its key id is not known here; the keys may be older than the token, so fetching them once more can help.
    #[error("the access token is not valid")]
    UnknownKey,
    /// Its signature is not the key's.
    #[error("the access token is not valid")]
    BadSignature,
    /// Somebody else issued it.
    #[error("the access token is not valid")]
    WrongIssuer,
    /// It is meant for somebody else.
    #[error("the access token is not valid")]
    WrongAudience,
    /// It is over.
    #[error("the access token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the access token is not valid")]
    NotYetValid,
    /// Its session or its user was shut out after it was issued.
    #[error("the access token is not valid")]
    Revoked,
}

impl TokenError {
    /// Returns the name of the case, for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
        }
    }
}

impl Failure for TokenError {
    fn kind(&self) -> Kind {
        Kind::Unauthenticated
    }

    fn reason(&self) -> &'static str {
        if *self == Self::Missing { "TOKEN_MISSING" } else { "TOKEN_INVALID" }
    }
}

/// Whether the revocation list knew everything when a token passed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It did; the token is good.
    Fresh,
    /// It may have missed something: the issuer has to be asked about this token.
    Unknown,
}

/// A token that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is.
    pub caller: Caller,
    /// Whether revocations are known well enough.
    pub freshness: Freshness,
}

/// Verifies access tokens against the keys and revocations of the moment. Clones share everything.
///
/// A token that passed is remembered by its hash until it expires or its key goes; times and revocations are looked at
/// anew on each use.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    keys: KeySet,
    issuer: Arc<str>,
    audience: Arc<str>,
    clock: SharedClock,
    revocations: RevocationList,
    memory: Memory,
}

impl TokenVerifier {
    /// Accepts tokens of `issuer` for `audience`.
    pub fn new(
        keys: KeySet,
        issuer: impl Into<Arc<str>>,
        audience: impl Into<Arc<str>>,
        clock: SharedClock,
        revocations: RevocationList,
    ) -> Self {
        Self { keys, issuer: issuer.into(), audience: audience.into(), clock, revocations, memory: Memory::default() }
    }

    /// Returns the keys, for whoever keeps them up to date.
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Returns the revocation list, for whoever keeps it up to date.
    pub const fn revocations(&self) -> &RevocationList {
        &self.revocations
    }

    /// Verifies the bare `token` (without `Bearer`) that came from `client`.
    pub fn verify(&self, token: &str, client: Client) -> Result<Verified, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Malformed);
        }
        let now = self.clock.now();
        let claims = self.claims(token, now)?;
        check_times(&claims, now)?;
        // Asked first: a heartbeat between the two questions must not vouch for an answer that came before it.
        let fresh = self.revocations.is_fresh(Instant::now());
        let caller = claims.caller(client);
        if self.revocations.is_revoked(&caller) {
            return Err(TokenError::Revoked);
        }
        let freshness = if fresh { Freshness::Fresh } else { Freshness::Unknown };
        Ok(Verified { caller, freshness })
    }

    /// Returns what the token says, once it is certain that the issuer said it.
    fn claims(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Claims>, TokenError> {
        let hash = memory::hash(token);
        if let Some(known) = self.memory.find(&hash)
            && self.keys.trusts(&known.kid, known.fingerprint)
        {
            return Ok(known.claims);
        }
        let (key, claims) = self.read(token)?;
        let claims = Arc::new(claims);
        if let Ok(left) = (claims.expires_at + LEEWAY - now).to_std() {
            let known = Remembered {
                kid: key.kid().to_owned(),
                fingerprint: key.fingerprint(),
                claims: Arc::clone(&claims),
                size: token.len(),
            };
            self.memory.put(hash, known, left);
        }
        Ok(claims)
    }

    /// Reads a token that is not remembered. Nothing of the claims is looked at before the signature is found good.
    fn read(&self, token: &str) -> Result<(VerifyingKey, Claims), TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header = Header::read(header).ok_or(TokenError::Malformed)?;
        let key = self.keys.find(&header.kid).ok_or(TokenError::UnknownKey)?;
        // The key says how it verifies; what the token says must merely be the same.
        if header.alg != key.algorithm().name() || !key.verifies(message.as_bytes(), signature) {
            return Err(TokenError::BadSignature);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
        let claims = Claims::from_json(&payload).ok_or(TokenError::Malformed)?;
        if *claims.issuer != *self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if *claims.audience != *self.audience {
            return Err(TokenError::WrongAudience);
        }
        Ok((key, claims))
    }
}

/// What is read of a token's header. Keys that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) are not read at all.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    #[serde(default)]
    crit: Present,
}

impl Header {
    fn read(encoded: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let header: Self = strict_json::from_slice(&bytes).ok()?;
        // `crit` lists what a reader must understand (RFC 7515, 4.1.11); nothing is issued with it.
        let ours = header.typ == TOKEN_TYPE && !header.crit.0 && header.kid.len() <= MAX_KEY_ID;
        ours.then_some(header)
    }
}

fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), TokenError> {
    // A token from the future would outlive a revocation made now.
    if claims.not_before > now + LEEWAY || claims.issued_at > now + LEEWAY {
        return Err(TokenError::NotYetValid);
    }
    if claims.expires_at <= now - LEEWAY {
        return Err(TokenError::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use taskman_clock::ManualClock;
    use taskman_ids::{CompanyId, RequestId, SessionId, UserId, new_uuid};

    use super::*;
    use crate::key::{Algorithm, SigningKey};

    #[test]
    fn a_token_is_remembered_when_it_was_found_good_and_not_before() {
        let now = DateTime::from_timestamp(1_795_262_400, 0).unwrap();
        let key = SigningKey::generate(Algorithm::Es256, now).unwrap();
        let keys = KeySet::new();
        let verifier =
            TokenVerifier::new(keys.clone(), "i", "a", Arc::new(ManualClock::at(now)), RevocationList::new());
        let token = key
            .sign(&Claims {
                issuer: "i".to_owned(),
                audience: "a".to_owned(),
                user: UserId::new(),
                company: CompanyId::new(),
                session: SessionId::new(),
                email: "ada@example.com".to_owned(),
                roles: Vec::new(),
                iam_position: 0,
                token: new_uuid(),
                issued_at: now,
                not_before: now,
                expires_at: now + TimeDelta::minutes(15),
                authenticated_at: now,
            })
            .unwrap();
        let client = Client::unknown(RequestId::new());
        let hash = memory::hash(&token);

        assert_eq!(verifier.verify(&token, client.clone()).unwrap_err(), TokenError::UnknownKey);
        assert!(verifier.memory.find(&hash).is_none());
        keys.replace(vec![key.verifying_key().unwrap()]);
        let first = verifier.verify(&token, client.clone()).unwrap();
        assert!(verifier.memory.find(&hash).is_some());
        assert_eq!(verifier.verify(&token, client).unwrap(), first);
    }
}
