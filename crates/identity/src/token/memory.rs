//! The tokens that were verified, by their hash, until they expire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{self, SHA256};
use moka::Expiry;
use moka::sync::Cache;

use crate::claims::Claims;

/// How much is remembered, in bytes of tokens: some ten thousand callers at a time.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// The SHA-256 of a token; the token itself is not kept.
pub(super) type Hash = [u8; 32];

/// A token that was verified: what it says, and with which key.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub(super) kid: String,
    pub(super) fingerprint: [u8; 32],
    pub(super) claims: Arc<Claims>,
    pub(super) size: usize,
}

/// Remembers verified tokens; the least used go first when it is full.
#[derive(Debug, Clone)]
pub(super) struct Memory(Cache<Hash, (Remembered, Duration)>);

impl Default for Memory {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|_, (known, _): &(Remembered, Duration)| u32::try_from(known.size).unwrap_or(u32::MAX))
            .expire_after(OwnTime)
            .build();
        Self(cache)
    }
}

impl Memory {
    pub(super) fn find(&self, hash: &Hash) -> Option<Remembered> {
        self.0.get(hash).map(|(known, _)| known)
    }

    pub(super) fn put(&self, hash: Hash, known: Remembered, left: Duration) {
        self.0.insert(hash, (known, left));
    }
}

pub(super) fn hash(token: &str) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&SHA256, token.as_bytes()).as_ref());
    out
}

/// Lets each token go when its own time is over.
struct OwnTime;

impl Expiry<Hash, (Remembered, Duration)> for OwnTime {
    fn expire_after_create(&self, _: &Hash, value: &(Remembered, Duration), _: Instant) -> Option<Duration> {
        Some(value.1)
    }

    fn expire_after_update(
        &self,
        _: &Hash,
        value: &(Remembered, Duration),
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(value.1)
    }
}
