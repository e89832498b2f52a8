//! The keys that are derived from the service's own secret, each for one purpose; the same on every replica.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use taskman_chassis::Kit;
use taskman_ids::SessionId;

use crate::domain::secret::Secret;
use crate::domain::subject::Subject;
use crate::domain::throttle::Scope;

/// What hashes addresses, counts attempts and makes the next refresh token.
#[derive(Debug)]
pub(crate) struct Secrets {
    addresses: hmac::Key,
    attempts: hmac::Key,
    successors: hmac::Key,
}

impl Secrets {
    /// Derives the keys.
    pub(crate) fn derive(kit: &Kit) -> anyhow::Result<Self> {
        let key = |label| kit.derive_key(label).map(|key| hmac::Key::new(HMAC_SHA256, &key));
        Ok(Self {
            addresses: key("email-hashes")?,
            attempts: key("login-throttles")?,
            successors: key("refresh-tokens")?,
        })
    }

    /// Hashes an e-mail address as it was typed, so that attempts on it can be counted without storing it.
    pub(crate) fn email_hash(&self, email: &str) -> String {
        URL_SAFE_NO_PAD.encode(sign(&self.addresses, &[folded(email).as_bytes()]))
    }

    /// Returns the key of the counter that `parts` have in `scope`.
    pub(crate) fn counter(&self, scope: Scope, parts: &[&[u8]]) -> [u8; 32] {
        let parts: Vec<&[u8]> = std::iter::once(scope.name().as_bytes()).chain(parts.iter().copied()).collect();
        sign(&self.attempts, &parts)
    }

    /// Derives the secret of the next refresh token from the present one. Who holds neither the present token nor this
    /// key cannot, so the next secret need not be stored to be given out a second time.
    pub(crate) fn successor(&self, session: SessionId, generation: i32, present: &Secret) -> Secret {
        let (session, generation) = (session.as_uuid(), generation.to_be_bytes());
        Secret::from_bytes(sign(&self.successors, &[session.as_bytes(), &generation, present.bytes()]))
    }
}

/// Returns what the attempts on an account are counted under: the user where there is one, however the address was typed.
pub(crate) fn account(email: &str, subject: Option<&Subject>) -> Vec<u8> {
    subject.map_or_else(|| folded(email).into_bytes(), |subject| subject.user.as_uuid().as_bytes().to_vec())
}

/// Removes what people type differently each time.
fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Signs the parts with their lengths, so that no two lists of parts look alike.
fn sign(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}
