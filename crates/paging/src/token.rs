//! Page tokens: positions that only we can read, bound to one list of one company for three days.
//!
//! A token is `version ‖ key id ‖ nonce ‖ AES-256-GCM(expiry ‖ position)` in URL-safe base64. The company and the hash
//! of the list's arguments are authenticated with it but not in it, so that a token opened for another list or company
//! is as broken as a forged one.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use taskman_errors::{Failure, Kind, Violation};
use taskman_ids::CompanyId;

use crate::{Page, PageSize};

const LIFETIME: TimeDelta = TimeDelta::hours(72);
const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const EXPIRY_LEN: usize = 8;
/// Longer than any token we make; nothing longer is decoded.
const LONGEST: usize = 4_096;
/// What a position that cannot be sealed becomes: a token that is refused, because an empty one would end the list early.
const UNSEALED: &str = "-";

/// Says that a page token was not made for this list, is damaged or too old. It never says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the page token is not valid for this list")]
pub struct PageTokenInvalid {
    violation: [Violation; 1],
}

impl PageTokenInvalid {
    fn new() -> Self {
        let description = "is not valid for this list; start again at the first page".to_owned();
        Self { violation: [Violation { field: "page_token".to_owned(), description }] }
    }
}

impl Failure for PageTokenInvalid {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn reason(&self) -> &'static str {
        "PAGE_TOKEN_INVALID"
    }

    fn violations(&self) -> &[Violation] {
        &self.violation
    }
}

/// Hashes the arguments of a list other than its page: name the method too, `args_hash(&("ListTasks", &filter))`.
///
/// The arguments must serialize the same way each time: no `HashMap`.
pub fn args_hash(args: &impl Serialize) -> [u8; 32] {
    let mut hash = Sha256::new();
    match serde_json::to_vec(args) {
        Ok(json) => hash.update(json),
        // Only a map whose keys are no strings comes here: a mistake of the caller that its first test shows.
        Err(error) => debug_assert!(false, "list arguments cannot be hashed: {error}"),
    }
    hash.finalize().into()
}

/// Seals positions into page tokens and opens them again. Every replica of a service holds the same keys.
pub struct TokenSealer {
    current: Key,
    previous: Option<Key>,
}

struct Key {
    id: [u8; KEY_ID_LEN],
    bytes: [u8; 32],
}

impl std::fmt::Debug for TokenSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSealer").finish_non_exhaustive()
    }
}

impl TokenSealer {
    /// Seals with `current`; opens what `current` or `previous` sealed, so that a key can be changed while tokens are
    /// out: first on the side that opens, and the old key is dropped after three days.
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        Self { current: Key::new(current), previous: previous.map(Key::new) }
    }

    /// Binds the sealer to one list: see [`List`].
    pub fn list(&self, args_hash: [u8; 32], company: CompanyId, now: DateTime<Utc>) -> List<'_> {
        List { sealer: self, args_hash, company, now }
    }

    /// Seals a position for the next three days.
    pub fn seal<P: Serialize>(
        &self,
        position: &P,
        args_hash: [u8; 32],
        company: CompanyId,
        now: DateTime<Utc>,
    ) -> String {
        let mut sealed = (now + LIFETIME).timestamp().to_be_bytes().to_vec();
        match serde_json::to_writer(&mut sealed, position) {
            Ok(()) => self.current.seal(sealed, args_hash, company).unwrap_or_else(|_| UNSEALED.to_owned()),
            Err(error) => {
                debug_assert!(false, "a position cannot be sealed: {error}");
                UNSEALED.to_owned()
            }
        }
    }

    /// Opens a token; the first page has none, see [`List::open`].
    pub fn open<P: DeserializeOwned>(
        &self,
        token: &str,
        args_hash: [u8; 32],
        company: CompanyId,
        now: DateTime<Utc>,
    ) -> Result<P, PageTokenInvalid> {
        self.try_open(token, args_hash, company, now).ok_or_else(PageTokenInvalid::new)
    }

    fn try_open<P: DeserializeOwned>(
        &self,
        token: &str,
        args_hash: [u8; 32],
        company: CompanyId,
        now: DateTime<Utc>,
    ) -> Option<P> {
        if token.len() > LONGEST {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (head, sealed) = bytes.split_at_mut_checked(1 + KEY_ID_LEN + NONCE_LEN)?;
        let (version, head) = head.split_first()?;
        let (id, nonce) = head.split_at(KEY_ID_LEN);
        let key = std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == id)?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = key.cipher().ok()?.open_in_place(nonce, key.bound_to(args_hash, company), sealed).ok()?;
        let (expiry, position) = opened.split_first_chunk::<EXPIRY_LEN>()?;
        if now.timestamp() >= i64::from_be_bytes(*expiry) {
            return None;
        }
        serde_json::from_slice(position).ok()
    }
}

impl Key {
    fn new(key: &[u8; 32]) -> Self {
        let hash = Sha256::new().chain_update(b"page token key id").chain_update(key).finalize();
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&hash[..KEY_ID_LEN]);
        Self { id, bytes: *key }
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, Unspecified> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.bytes)
    }

    fn seal(&self, mut sealed: Vec<u8>, args_hash: [u8; 32], company: CompanyId) -> Result<String, Unspecified> {
        let nonce = self.cipher()?.seal_in_place_append_tag(self.bound_to(args_hash, company), &mut sealed)?;
        let token = [&[VERSION], self.id.as_slice(), nonce.as_ref(), &sealed].concat();
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    fn bound_to(&self, args_hash: [u8; 32], company: CompanyId) -> Aad<Vec<u8>> {
        Aad::from([&[VERSION], self.id.as_slice(), company.as_uuid().as_bytes(), &args_hash].concat())
    }
}

/// One list on behalf of one caller: reads the token that came in and makes the one that goes out.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    sealer: &'a TokenSealer,
    args_hash: [u8; 32],
    company: CompanyId,
    now: DateTime<Utc>,
}

impl List<'_> {
    /// Opens the request's `page_token`; the empty token is the first page and has no position.
    pub fn open<P: DeserializeOwned>(&self, token: &str) -> Result<Option<P>, PageTokenInvalid> {
        if token.is_empty() {
            return Ok(None);
        }
        self.sealer.open(token, self.args_hash, self.company, self.now).map(Some)
    }

    /// Makes a page of `rows`, which were read with [`PageSize::limit`]; `position` tells where an item stands.
    pub fn page<T, P: Serialize>(&self, rows: Vec<T>, size: PageSize, position: impl FnOnce(&T) -> P) -> Page<T> {
        Page::from_rows(rows, size, |last| self.sealer.seal(&position(last), self.args_hash, self.company, self.now))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct After {
        created_at: DateTime<Utc>,
        id: u32,
    }

    const HASH: [u8; 32] = [1; 32];
    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn after() -> After {
        After { created_at: NOW - TimeDelta::microseconds(1), id: 9 }
    }

    fn sealer() -> TokenSealer {
        TokenSealer::new(&[7; 32], None)
    }

    #[test]
    fn a_sealed_position_is_opened_for_the_same_list() {
        let company = CompanyId::new();
        let token = sealer().seal(&after(), HASH, company, NOW);
        assert_eq!(sealer().open(&token, HASH, company, NOW), Ok(after()));
    }

    #[test]
    fn a_token_of_another_company_or_of_other_arguments_is_refused() {
        let company = CompanyId::new();
        let token = sealer().seal(&after(), HASH, company, NOW);
        assert_eq!(sealer().open::<After>(&token, HASH, CompanyId::new(), NOW), Err(PageTokenInvalid::new()));
        assert_eq!(sealer().open::<After>(&token, [2; 32], company, NOW), Err(PageTokenInvalid::new()));
        assert_eq!(sealer().open::<Vec<u8>>(&token, HASH, company, NOW), Err(PageTokenInvalid::new()));
    }

    #[test]
    fn a_token_lives_for_three_days() {
        let company = CompanyId::new();
        let token = sealer().seal(&after(), HASH, company, NOW);
        let end = NOW + TimeDelta::hours(72);
        assert!(sealer().open::<After>(&token, HASH, company, end - TimeDelta::seconds(1)).is_ok());
        assert_eq!(sealer().open::<After>(&token, HASH, company, end), Err(PageTokenInvalid::new()));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let company = CompanyId::new();
        let token = URL_SAFE_NO_PAD.decode(sealer().seal(&after(), HASH, company, NOW)).unwrap();
        for place in 0..token.len() * 8 {
            let mut changed = token.clone();
            changed[place / 8] ^= 1 << (place % 8);
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert!(sealer().open::<After>(&changed, HASH, company, NOW).is_err(), "bit {place}");
        }
        for end in 0..token.len() {
            let cut = URL_SAFE_NO_PAD.encode(&token[..end]);
            assert!(sealer().open::<After>(&cut, HASH, company, NOW).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let long = "A".repeat(LONGEST + 1);
        for text in ["", UNSEALED, "null", "=", "\u{e9}", "AAAA", long.as_str()] {
            assert!(sealer().open::<After>(text, HASH, CompanyId::new(), NOW).is_err());
        }
    }

    #[test]
    fn the_position_cannot_be_read_from_the_token() {
        let token = sealer().seal(&"a secret title", HASH, CompanyId::new(), NOW);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        assert_ne!(token, sealer().seal(&"a secret title", HASH, CompanyId::new(), NOW), "each nonce is its own");
    }

    #[test]
    fn tokens_outlive_a_change_of_keys_while_the_former_key_is_known() {
        let company = CompanyId::new();
        let token = sealer().seal(&after(), HASH, company, NOW);
        let during = TokenSealer::new(&[8; 32], Some(&[7; 32]));
        assert_eq!(during.open(&token, HASH, company, NOW), Ok(after()));
        let (new, past) = (during.seal(&after(), HASH, company, NOW), TokenSealer::new(&[8; 32], None));
        assert_eq!(past.open(&new, HASH, company, NOW), Ok(after()));
        assert!(past.open::<After>(&token, HASH, company, NOW).is_err());
    }

    #[test]
    fn different_arguments_hash_differently() {
        assert_eq!(args_hash(&("ListTasks", Some("todo"))), args_hash(&("ListTasks", Some("todo"))));
        assert_ne!(args_hash(&("ListTasks", Some("todo"))), args_hash(&("ListTasks", None::<&str>)));
        assert_ne!(args_hash(&("ListTasks", "todo")), args_hash(&("ListProjects", "todo")));
    }

    #[test]
    fn a_list_is_walked_page_by_page_to_its_end() {
        let (sealer, company, size) = (sealer(), CompanyId::new(), PageSize::parse(4).unwrap());
        let list = sealer.list(HASH, company, NOW);
        let (mut seen, mut token) = (Vec::<u32>::new(), String::new());
        loop {
            let after: Option<u32> = list.open(&token).unwrap();
            let limit = usize::try_from(size.limit()).unwrap();
            let rows = (0..10).filter(|row| after.is_none_or(|after| *row > after)).take(limit).collect();
            let page = list.page(rows, size, |last| *last);
            seen.extend(&page.items);
            if page.is_last() {
                break;
            }
            token = page.next_page_token;
        }
        assert_eq!(seen, (0..10).collect::<Vec<u32>>());
    }

    #[test]
    fn the_refusal_names_the_field_and_nothing_else() {
        let refusal = PageTokenInvalid::new();
        assert_eq!((refusal.kind(), refusal.reason()), (Kind::Invalid, "PAGE_TOKEN_INVALID"));
        assert_eq!(refusal.violations()[0].field, "page_token");
    }
}
