//! Secrets that are handed out once and kept as a hash: those of refresh tokens and of links.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use uuid::Uuid;

/// Starts every refresh token, so that a scanner of leaked secrets knows one when it sees one.
pub(crate) const REFRESH: &str = "tmr_";
/// Starts the token of every link.
pub(crate) const LINK: &str = "tml_";

/// 256 bits that nobody can guess. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; 32]);

/// The SHA-256 of a secret: enough for what nobody can guess.
pub(crate) type Hash = [u8; 32];

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Secret {
    /// Makes a new one.
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Takes bytes that are as hard to guess.
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, to derive others from.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns what is stored of it.
    pub(crate) fn hash(&self) -> Hash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &self.0).as_ref());
        hash
    }
}

/// Says whether two hashes are the same, in the same time for all.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

/// Writes the token that names `id` and proves it with `secret`: `tmr_<id>.<secret>`.
pub(crate) fn write(prefix: &str, id: Uuid, secret: &Secret) -> SecretString {
    format!("{prefix}{}.{}", id.simple(), URL_SAFE_NO_PAD.encode(secret.0)).into()
}

/// Reads such a token; there is one way to write each, and anything else is none.
pub(crate) fn read(prefix: &str, token: &str) -> Option<(Uuid, Secret)> {
    let (id, secret) = token.strip_prefix(prefix)?.split_once('.')?;
    let parsed = Uuid::try_parse(id).ok().filter(|uuid| uuid.simple().to_string() == id)?;
    let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
    Some((parsed, Secret(bytes.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_written_token_is_read_back_and_no_other_spelling_is() {
        let (id, secret) = (Uuid::from_u128(0xA1B2_C3D4), Secret::generate().unwrap());
        let token = write(REFRESH, id, &secret);
        let text = token.expose_secret();
        assert_eq!(read(REFRESH, text), Some((id, secret)));
        let (head, tail) = text.split_once('.').unwrap();
        for other in [
            format!("{LINK}{}", &text[4..]),
            format!("{}.{tail}", head.to_uppercase()),
            format!("{REFRESH}{}.{tail}", id.hyphenated()),
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            head.to_owned(),
            String::new(),
        ] {
            assert_eq!(read(REFRESH, &other), None, "{other}");
        }
    }

    #[test]
    fn debug_text_does_not_show_the_secret() {
        assert_eq!(format!("{:?}", Secret::from_bytes([7; 32])), "Secret(redacted)");
    }
}
