//! Seals what is about persons, each part with the key of whom it is about.
//!
//! The master key seals the subjects' keys, the subjects' keys seal the parts: AES-256-GCM with random nonces, bound to
//! the company, the record and the part, so that nothing can be moved elsewhere. What is sealed is
//! `version ‖ part…`, a part is `kind ‖ subject ‖ length ‖ nonce ‖ ciphertext ‖ tag`. Once the key of a subject is
//! destroyed, their parts cannot be opened by anybody, while those of others in the same record still can.

use std::collections::HashMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use taskman_ids::CompanyId;
use uuid::Uuid;

use super::event::{Event, Fact, Subject};
use super::personal::Personal;

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;

/// Says that something cannot be sealed or opened: the wrong key, or damaged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("personal data cannot be sealed or opened")]
pub struct SealBroken;

impl From<aws_lc_rs::error::Unspecified> for SealBroken {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// Whose key it is: a subject's, in a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The company.
    pub company: CompanyId,
    /// The subject.
    pub subject: Subject,
}

/// The key of one subject.
pub struct SubjectKey([u8; KEY_LEN]);

/// The keys at hand; a destroyed one is there as `None`.
pub type Keyring = HashMap<Owner, Option<SubjectKey>>;

/// The key that the subjects' keys are sealed with.
pub struct MasterKey([u8; KEY_LEN]);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey")
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

impl SubjectKey {
    /// Makes a new key.
    pub fn generate() -> Result<Self, SealBroken> {
        let mut key = [0; KEY_LEN];
        rand::fill(&mut key)?;
        Ok(Self(key))
    }
}

impl MasterKey {
    /// Takes the service's own key.
    pub const fn new(key: [u8; KEY_LEN]) -> Self {
        Self(key)
    }

    /// Seals the key of a subject for the database.
    pub fn wrap(&self, owner: Owner, key: &SubjectKey) -> Result<Vec<u8>, SealBroken> {
        let sealed = seal_bytes(&self.0, key.0.to_vec(), owner.bound_to(b"key", &[]))?;
        Ok([&[VERSION], sealed.as_slice()].concat())
    }

    /// Opens the key of a subject.
    pub fn unwrap(&self, owner: Owner, sealed: &[u8]) -> Result<SubjectKey, SealBroken> {
        let Some((&VERSION, sealed)) = sealed.split_first() else { return Err(SealBroken) };
        let mut bytes = sealed.to_vec();
        let key = open_bytes(&self.0, &mut bytes, owner.bound_to(b"key", &[]))?;
        key.try_into().map(SubjectKey).map_err(|_| SealBroken)
    }
}

impl Owner {
    /// Returns what a ciphertext is bound to.
    fn bound_to(self, purpose: &[u8], record: &[u8]) -> Aad<Vec<u8>> {
        let (company, subject) = (self.company.as_uuid(), self.subject.as_uuid());
        Aad::from([b"taskman audit 1 ", purpose, company.as_bytes(), subject.as_bytes(), record].concat())
    }
}

/// Which part of what is about persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Client = 1,
    Data = 2,
}

impl Kind {
    const fn purpose(self) -> &'static [u8] {
        match self {
            Self::Client => b"client",
            Self::Data => b"data",
        }
    }
}

/// Returns the owners of the keys that sealing the event takes.
pub fn owners(event: &Event) -> Vec<Owner> {
    let company = event.fact.company;
    parts(event).into_iter().map(|(_, subject)| Owner { company, subject }).collect()
}

fn parts(event: &Event) -> Vec<(Kind, Subject)> {
    let mut parts = Vec::new();
    if !event.personal.client.is_empty() {
        parts.push((Kind::Client, event.client_subject()));
    }
    if !event.personal.data.is_empty() {
        parts.push((Kind::Data, event.data_subject()));
    }
    parts
}

/// Seals what the event says about persons; nothing when it says nothing. What is about somebody whose key is destroyed
/// is left out.
pub fn seal(event: &Event, keys: &Keyring) -> Result<Option<Vec<u8>>, SealBroken> {
    let company = event.fact.company;
    let mut sealed = vec![VERSION];
    for (kind, subject) in parts(event) {
        let owner = Owner { company, subject };
        let Some(key) = keys.get(&owner).ok_or(SealBroken)? else { continue };
        let plain = match kind {
            Kind::Client => serde_json::to_vec(&event.personal.client),
            Kind::Data => serde_json::to_vec(&event.personal.data),
        };
        let bound = owner.bound_to(kind.purpose(), event.fact.id.as_uuid().as_bytes());
        let part = seal_bytes(&key.0, plain.map_err(|_| SealBroken)?, bound)?;
        let length = u32::try_from(part.len()).map_err(|_| SealBroken)?;
        sealed.push(kind as u8);
        sealed.extend_from_slice(subject.as_uuid().as_bytes());
        sealed.extend_from_slice(&length.to_be_bytes());
        sealed.extend_from_slice(&part);
    }
    Ok((sealed.len() > 1).then_some(sealed))
}

/// Returns whom the sealed parts of a record are about.
pub fn subjects(sealed: &[u8]) -> Result<Vec<Subject>, SealBroken> {
    Ok(read(sealed)?.into_iter().map(|part| part.subject).collect())
}

/// Opens what a record says about persons. Parts whose key is destroyed, or not at hand, stay closed.
pub fn open(fact: &Fact, sealed: &[u8], keys: &Keyring) -> Result<Personal, SealBroken> {
    let mut personal = Personal::default();
    for part in read(sealed)? {
        let owner = Owner { company: fact.company, subject: part.subject };
        let Some(Some(key)) = keys.get(&owner) else { continue };
        let bound = owner.bound_to(part.kind.purpose(), fact.id.as_uuid().as_bytes());
        let mut bytes = part.sealed.to_vec();
        let plain = open_bytes(&key.0, &mut bytes, bound)?;
        match part.kind {
            Kind::Client => personal.client = serde_json::from_slice(plain).map_err(|_| SealBroken)?,
            Kind::Data => personal.data = serde_json::from_slice(plain).map_err(|_| SealBroken)?,
        }
    }
    Ok(personal)
}

struct Part<'a> {
    kind: Kind,
    subject: Subject,
    sealed: &'a [u8],
}

fn read(sealed: &[u8]) -> Result<Vec<Part<'_>>, SealBroken> {
    let Some((&VERSION, mut rest)) = sealed.split_first() else { return Err(SealBroken) };
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (part, after) = read_part(rest).ok_or(SealBroken)?;
        parts.push(part);
        rest = after;
    }
    Ok(parts)
}

fn read_part(bytes: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let kind = [Kind::Client, Kind::Data].into_iter().find(|known| *known as u8 == *kind)?;
    let (subject, bytes) = bytes.split_first_chunk()?;
    let (length, bytes) = bytes.split_first_chunk()?;
    let (sealed, rest) = bytes.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((Part { kind, subject: Subject::from_uuid(Uuid::from_bytes(*subject)), sealed }, rest))
}

fn seal_bytes(key: &[u8; KEY_LEN], mut plain: Vec<u8>, bound: Aad<Vec<u8>>) -> Result<Vec<u8>, SealBroken> {
    let nonce = RandomizedNonceKey::new(&AES_256_GCM, key)?.seal_in_place_append_tag(bound, &mut plain)?;
    Ok([nonce.as_ref().as_slice(), &plain].concat())
}

fn open_bytes<'a>(key: &[u8; KEY_LEN], sealed: &'a mut [u8], bound: Aad<Vec<u8>>) -> Result<&'a [u8], SealBroken> {
    let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(SealBroken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    Ok(RandomizedNonceKey::new(&AES_256_GCM, key)?.open_in_place(nonce, bound, sealed)?)
}

/// A record as it lies in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    /// What is not about persons.
    pub fact: Fact,
    /// What is, sealed.
    pub pii: Option<Vec<u8>>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use chrono::DateTime;
    use serde_json::{Map, json};
    use taskman_ids::{EventId, UserId};

    use super::super::event::{Actor, Target};
    use super::super::outcome::Outcome;
    use super::super::personal::Client;
    use super::*;

    fn event(actor: UserId, target: UserId) -> Event {
        let client = Client { ip_address: Some("203.0.113.7".into()), ..Client::default() };
        Event {
            fact: Fact {
                id: EventId::new(),
                company: CompanyId::new(),
                occurred_at: DateTime::UNIX_EPOCH,
                recorded_at: DateTime::UNIX_EPOCH,
                event_type: "user.created".into(),
                actor: Actor::User(actor),
                target: Target { kind: "user".into(), id: target.to_string() },
                action: "created".into(),
                outcome: Outcome::Success,
                source: "user".into(),
                request_id: None,
                trace_id: None,
                session: None,
                causation: None,
                producer_seq: None,
                data_schema: None,
                metadata: Map::new(),
            },
            personal: Personal { client, data: Map::from_iter([("email".into(), json!("bob@example.com"))]) },
        }
    }

    fn keys(event: &Event) -> Keyring {
        owners(event).into_iter().map(|owner| (owner, Some(SubjectKey::generate().unwrap()))).collect()
    }

    #[test]
    fn what_was_sealed_is_opened_and_cannot_be_read_before() {
        let event = event(UserId::new(), UserId::new());
        let keys = keys(&event);
        let sealed = seal(&event, &keys).unwrap().unwrap();
        assert!(!sealed.windows(3).any(|bytes| bytes == b"203" || bytes == b"bob"));
        assert_eq!(open(&event.fact, &sealed, &keys), Ok(event.personal.clone()));
        assert_eq!(subjects(&sealed).unwrap().len(), 2);
    }

    #[test]
    fn forgetting_one_person_leaves_the_other() {
        let (actor, target) = (UserId::new(), UserId::new());
        let event = event(actor, target);
        let mut keys = keys(&event);
        let sealed = seal(&event, &keys).unwrap().unwrap();
        keys.insert(Owner { company: event.fact.company, subject: target.into() }, None);
        let opened = open(&event.fact, &sealed, &keys).unwrap();
        assert_eq!(opened, Personal { client: event.personal.client.clone(), data: Map::new() });
        let again = seal(&event, &keys).unwrap().unwrap();
        assert_eq!(subjects(&again).unwrap(), [actor.into()]);
    }

    #[test]
    fn a_seal_fits_no_other_record_and_no_other_key() {
        let one = event(UserId::new(), UserId::new());
        let keys = keys(&one);
        let sealed = seal(&one, &keys).unwrap().unwrap();
        let moved = Fact { id: EventId::new(), ..one.fact.clone() };
        assert_eq!(open(&moved, &sealed, &keys), Err(SealBroken));
        assert_eq!(open(&one.fact, &sealed, &self::keys(&one)), Err(SealBroken));
        assert_eq!(open(&one.fact, &sealed[..sealed.len() - 1], &keys), Err(SealBroken));
        assert_eq!(open(&one.fact, &[], &keys), Err(SealBroken));
    }

    #[test]
    fn a_record_without_persons_has_no_seal() {
        let mut event = event(UserId::new(), UserId::new());
        event.personal = Personal::default();
        assert!(owners(&event).is_empty());
        assert_eq!(seal(&event, &Keyring::new()), Ok(None));
    }

    #[test]
    fn a_wrapped_key_opens_for_its_owner_only() {
        let master = MasterKey::new([7; 32]);
        let owner = Owner { company: CompanyId::new(), subject: UserId::new().into() };
        let key = SubjectKey::generate().unwrap();
        let wrapped = master.wrap(owner, &key).unwrap();
        assert_eq!(master.unwrap(owner, &wrapped).unwrap().0, key.0);
        let other = Owner { company: CompanyId::new(), ..owner };
        assert!(master.unwrap(other, &wrapped).is_err());
        assert!(MasterKey::new([8; 32]).unwrap(owner, &wrapped).is_err());
    }
}
