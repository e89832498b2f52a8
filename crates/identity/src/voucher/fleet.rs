//! Makes the voucher keys of a whole fleet, and replaces them without a pause.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::keys::{MAX_KEYS_PER_PAIR, VoucherKeysError};
use crate::key::MIN_SECRET;
use crate::strict_json;

/// A step of a rotation. Between two steps every service must have read its new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Adds a second key to each pair: it opens and does not seal yet.
    Add,
    /// Seals with the newer key; the older one still opens.
    Promote,
    /// Drops the older key.
    Retire,
}

/// Makes the keys of a fleet: one for every ordered pair of `services`. The result is, for each service, the text of the
/// file that only this service may read.
pub fn generate_fleet_keys(services: &[&str]) -> Result<BTreeMap<String, String>, VoucherKeysError> {
    let names: Vec<String> = services.iter().map(|&service| service.to_owned()).collect();
    write_files(&names, |_, _| Vec::new(), Rotation::Add)
}

/// Takes one step of a rotation with the files of [`generate_fleet_keys`], by service. A pair that has no key yet, because
/// a service is new and came with an empty set, gets one with [`Rotation::Add`]. Repeating a step changes nothing.
pub fn rotate_fleet_keys(
    current: &BTreeMap<String, String>,
    step: Rotation,
) -> Result<BTreeMap<String, String>, VoucherKeysError> {
    let mut files = BTreeMap::new();
    for text in current.values() {
        let file = KeyFile::parse(text)?;
        files.insert(file.service, file.keys);
    }
    let names: Vec<String> = files.keys().cloned().collect();
    let held = |issuer: &str, audience: &str| {
        let keys = files.get(issuer).into_iter().flatten();
        keys.filter(|key| key.issuer == issuer && key.audience == audience).cloned().collect()
    };
    write_files(&names, held, step)
}

/// What a service is given: its name and its keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    pub(super) service: String,
    pub(super) keys: Vec<KeyEntry>,
}

impl KeyFile {
    pub(super) fn parse(text: &str) -> Result<Self, VoucherKeysError> {
        strict_json::from_slice(text.as_bytes())
            .map_err(|error| VoucherKeysError::Malformed { line: error.line(), column: error.column() })
    }
}

/// A key of one pair. The ids that are made here sort by their age.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyEntry {
    pub(super) id: String,
    pub(super) issuer: String,
    pub(super) audience: String,
    #[serde(serialize_with = "exposed")]
    pub(super) secret: SecretString,
}

impl KeyEntry {
    fn generate(issuer: &str, audience: &str) -> Result<Self, VoucherKeysError> {
        let mut secret = [0; MIN_SECRET];
        rand::fill(&mut secret).map_err(|_| VoucherKeysError::Crypto)?;
        Ok(Self {
            id: taskman_ids::new_uuid().to_string(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            secret: URL_SAFE_NO_PAD.encode(secret).into(),
        })
    }
}

/// Writes the files of all `names`, with the keys of each pair that are `held` brought one step further.
fn write_files(
    names: &[String],
    held: impl Fn(&str, &str) -> Vec<KeyEntry>,
    step: Rotation,
) -> Result<BTreeMap<String, String>, VoucherKeysError> {
    let mut files: BTreeMap<String, Vec<KeyEntry>> = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for issuer in names {
        for audience in names.iter().filter(|&audience| audience != issuer) {
            let mut keys = held(issuer, audience);
            advance(&mut keys, issuer, audience, step)?;
            for service in [issuer, audience] {
                files.entry(service.clone()).or_default().extend(keys.iter().cloned());
            }
        }
    }
    files
        .into_iter()
        .map(|(service, keys)| {
            let file = KeyFile { service, keys };
            let text = serde_json::to_string_pretty(&file)
                .map_err(|error| VoucherKeysError::Malformed { line: error.line(), column: error.column() })?;
            Ok((file.service, text))
        })
        .collect()
}

fn advance(keys: &mut Vec<KeyEntry>, issuer: &str, audience: &str, step: Rotation) -> Result<(), VoucherKeysError> {
    let newest_first = |a: &KeyEntry, b: &KeyEntry| b.id.cmp(&a.id);
    match step {
        Rotation::Add if keys.len() < MAX_KEYS_PER_PAIR => keys.push(KeyEntry::generate(issuer, audience)?),
        Rotation::Add => {}
        Rotation::Promote => keys.sort_by(newest_first),
        Rotation::Retire => {
            keys.sort_by(newest_first);
            keys.truncate(1);
        }
    }
    Ok(())
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
