//! The keys that seal and open vouchers: one for each pair of a service that calls and one that is called.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};

use super::fleet::{KeyEntry, KeyFile};
use super::{MAX_VOUCHER_LIFETIME, Voucher, VoucherError};
use crate::caller::Principal;
use crate::key::{MIN_SECRET, check_id};
use crate::strict_json;

/// How far the clocks of two services may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(2);

/// The longest voucher, in bytes: it has to fit among the other headers of a request.
const MAX_VOUCHER: usize = 12 * 1024;

/// The most key ids of one pair: the old and the new one of a rotation.
pub(super) const MAX_KEYS_PER_PAIR: usize = 2;

/// Keeps a seal of ours from being taken for any other use of the same key.
const CONTEXT: &[u8] = b"taskman voucher 1\n";

/// What is wrong with a file of voucher keys.
#[derive(Debug, thiserror::Error)]
pub enum VoucherKeysError {
    /// The file cannot be read.
    #[error("the file of voucher keys cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The text is not a set of voucher keys; the place is given, never the content.
    #[error("the voucher keys are not valid JSON of their form (line {line}, column {column})")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The machine gave no randomness for a new key.
    #[error("the cryptographic library failed")]
    Crypto,
    /// A key breaks a rule of the set.
    #[error("voucher key {position}: {problem}")]
    BadKey {
        /// The place of the key in the list, from 1.
        position: usize,
        /// The rule.
        problem: &'static str,
    },
}

/// The voucher keys that one service holds: those of the pairs that it is part of. Clones share them.
#[derive(Clone)]
pub struct VoucherKeys {
    own: Arc<str>,
    keys: Arc<Vec<Key>>,
}

struct Key {
    id: String,
    issuer: String,
    audience: String,
    secret: hmac::Key,
}

impl VoucherKeys {
    /// Reads the file that [`super::generate_fleet_keys`] made the text of.
    pub fn from_file(path: &Path) -> Result<Self, VoucherKeysError> {
        Self::parse(SecretString::from(std::fs::read_to_string(path)?).expose_secret())
    }

    /// Reads the text that [`super::generate_fleet_keys`] made.
    ///
    /// A pair has one key, or two during a rotation: the first is sealed with, both open.
    pub fn parse(text: &str) -> Result<Self, VoucherKeysError> {
        let file = KeyFile::parse(text)?;
        let mut keys: Vec<Key> = Vec::with_capacity(file.keys.len());
        for (index, entry) in file.keys.into_iter().enumerate() {
            let key = Key::read(entry, &file.service, &keys)
                .map_err(|problem| VoucherKeysError::BadKey { position: index + 1, problem })?;
            keys.push(key);
        }
        Ok(Self { own: file.service.into(), keys: Arc::new(keys) })
    }

    /// Returns the name of the service that holds the keys.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// Seals a voucher of this service for `method` of `audience`, good until the deadline that is `left` away, and for
    /// [`MAX_VOUCHER_LIFETIME`] at most.
    pub fn issue(
        &self,
        audience: &str,
        method: &str,
        principal: Principal,
        now: DateTime<Utc>,
        left: Duration,
    ) -> Result<String, VoucherError> {
        let lifetime = TimeDelta::from_std(left).map_or(MAX_VOUCHER_LIFETIME, |left| left.min(MAX_VOUCHER_LIFETIME));
        self.seal(&Voucher {
            issuer: self.own.to_string(),
            audience: audience.to_owned(),
            method: method.to_owned(),
            principal,
            issued_at: now,
            expires_at: now + lifetime,
        })
    }

    /// Seals a voucher that this service issues.
    pub fn seal(&self, voucher: &Voucher) -> Result<String, VoucherError> {
        if *voucher.issuer != *self.own {
            return Err(VoucherError::WrongIssuer);
        }
        let key = self.keys.iter().find(|key| key.is_for(voucher)).ok_or(VoucherError::NoKey)?;
        check_content(voucher)?;
        let json =
            serde_json::to_vec(&Sealed { kid: key.id.as_str(), voucher }).map_err(|_| VoucherError::Malformed)?;
        let payload = URL_SAFE_NO_PAD.encode(json);
        let seal = hmac::sign(&key.secret, &sealed_bytes(&payload));
        let text = format!("{payload}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()));
        if text.len() > MAX_VOUCHER { Err(VoucherError::TooLarge) } else { Ok(text) }
    }

    /// Opens a voucher that came with a call of `method` to this service.
    pub fn open(&self, text: &str, method: &str, now: DateTime<Utc>) -> Result<Voucher, VoucherError> {
        let (json, key) = self.unseal(text)?;
        let Sealed { voucher, .. } =
            strict_json::from_slice::<Sealed<String, Voucher>>(&json).map_err(|_| VoucherError::Malformed)?;
        if *voucher.audience != *self.own {
            return Err(VoucherError::WrongAudience);
        }
        if !key.is_for(&voucher) {
            return Err(VoucherError::WrongIssuer);
        }
        if voucher.method != method {
            return Err(VoucherError::WrongMethod);
        }
        check_content(&voucher)?;
        if voucher.issued_at > now + SKEW {
            return Err(VoucherError::NotYetValid);
        }
        if voucher.expires_at <= now - SKEW {
            return Err(VoucherError::Expired);
        }
        Ok(voucher)
    }

    /// Returns the content of a voucher with a good seal, and the key of the seal.
    fn unseal(&self, text: &str) -> Result<(Vec<u8>, &Key), VoucherError> {
        if text.len() > MAX_VOUCHER {
            return Err(VoucherError::Malformed);
        }
        let (payload, seal) = text.split_once('.').ok_or(VoucherError::Malformed)?;
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| VoucherError::Malformed)?;
        let seal = URL_SAFE_NO_PAD.decode(seal).map_err(|_| VoucherError::Malformed)?;
        // Of what is not yet proved, only the name of the key is read.
        let named: Named = serde_json::from_slice(&json).map_err(|_| VoucherError::Malformed)?;
        let key = self.keys.iter().find(|key| key.id == named.kid).ok_or(VoucherError::UnknownKey)?;
        hmac::verify(&key.secret, &sealed_bytes(payload), &seal).map_err(|_| VoucherError::BadSeal)?;
        Ok((json, key))
    }
}

impl fmt::Debug for VoucherKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoucherKeys").field("own", &self.own).field("keys", &self.keys.len()).finish()
    }
}

impl Key {
    /// Checks `entry` against the rules, given the service that holds it and the keys before it.
    fn read(entry: KeyEntry, own: &str, before: &[Self]) -> Result<Self, &'static str> {
        let KeyEntry { id, issuer, audience, secret } = entry;
        check_id(&id).map_err(|_| "the id is empty or too long")?;
        if issuer == audience {
            return Err("the issuer is the audience");
        }
        if issuer != own && audience != own {
            return Err("the key belongs to other services");
        }
        if before.iter().any(|key| key.id == id) {
            return Err("the id is repeated");
        }
        if before.iter().filter(|key| key.issuer == issuer && key.audience == audience).count() >= MAX_KEYS_PER_PAIR {
            return Err("the pair has more than two keys");
        }
        let secret: SecretSlice<u8> =
            URL_SAFE_NO_PAD.decode(secret.expose_secret()).map_err(|_| "the secret is not base64url")?.into();
        if secret.expose_secret().len() < MIN_SECRET {
            return Err("the secret is shorter than 32 bytes");
        }
        Ok(Self { id, issuer, audience, secret: hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret()) })
    }

    fn is_for(&self, voucher: &Voucher) -> bool {
        self.issuer == voucher.issuer && self.audience == voucher.audience
    }
}

/// The content of a voucher's text.
#[derive(Serialize, Deserialize)]
struct Sealed<K, V> {
    kid: K,
    voucher: V,
}

#[derive(Deserialize)]
struct Named {
    kid: String,
}

/// Checks what must be true of every voucher, whoever made it and whenever.
fn check_content(voucher: &Voucher) -> Result<(), VoucherError> {
    if voucher.principal.service().is_some_and(|name| name != voucher.issuer) {
        return Err(VoucherError::WrongIssuer);
    }
    if voucher.expires_at - voucher.issued_at > MAX_VOUCHER_LIFETIME {
        return Err(VoucherError::TooLong);
    }
    Ok(())
}

fn sealed_bytes(payload: &str) -> Vec<u8> {
    [CONTEXT, payload.as_bytes()].concat()
}
