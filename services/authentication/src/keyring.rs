//! The keys that access tokens are signed with: shared by the replicas through the database, sealed there.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretSlice};
use taskman_chassis::Kit;
use taskman_clock::SharedClock;
use taskman_identity::{Algorithm, Claims, Jwk, KeySet, SigningKey};
use taskman_postgres::Db;

use crate::config::Config;
use crate::domain::signing_key;
use crate::error::Error;
use crate::store;
use crate::store::signing_key::Stored;

/// The id of the one key there is where a shared secret is configured.
const SHARED: &str = "hs256";

/// Signs access tokens, and publishes what verifies them.
#[derive(Debug)]
pub(crate) struct Keyring {
    db: Db,
    clock: SharedClock,
    source: Source,
    /// The keys of this process's own verifier.
    trusted: KeySet,
}

#[derive(Debug)]
enum Source {
    /// One configured secret (HS256): nothing is stored, and nothing can be published.
    Shared(SigningKey),
    /// Keys of our own.
    Stored { algorithm: Algorithm, rotate_after: TimeDelta, sealing: [u8; 32], loaded: ArcSwap<Vec<Loaded>> },
}

#[derive(Debug)]
struct Loaded {
    signs_from: DateTime<Utc>,
    key: SigningKey,
}

impl Keyring {
    /// Makes the ring; [`Keyring::rotate`] has to fill it before it is used.
    pub(crate) fn new(kit: &Kit, config: &Config) -> anyhow::Result<Self> {
        let source = match &kit.identity().hs256_secret {
            Some(secret) => {
                let secret = SecretSlice::from(secret.expose_secret().as_bytes().to_vec());
                Source::Shared(SigningKey::hs256(SHARED, &secret, kit.clock().now())?)
            }
            None => Source::Stored {
                algorithm: config.algorithm,
                rotate_after: config.rotate_keys_after(),
                sealing: kit.derive_key("signing-keys")?,
                loaded: ArcSwap::default(),
            },
        };
        anyhow::ensure!(
            !matches!(source, Source::Stored { algorithm: Algorithm::Hs256, .. }),
            "service.algorithm cannot be HS256: set identity.hs256_secret instead"
        );
        Ok(Self { db: kit.db()?, clock: kit.clock(), source, trusted: kit.keys() })
    }

    /// Makes a key when one is due, deletes those that are over, and loads the rest. Replicas wait for each other, so that
    /// one of them makes the key.
    pub(crate) async fn rotate(&self) -> Result<(), Error> {
        let Source::Stored { algorithm, rotate_after, sealing, .. } = &self.source else { return Ok(()) };
        let mut tx = self.db.begin().await?;
        store::signing_key::lock(&mut tx).await?;
        let now = self.clock.now();
        let stored = store::signing_key::list(&mut tx).await?;
        let times: Vec<_> = stored.iter().map(Stored::times).collect();
        let plan = signing_key::plan(&times, *algorithm, *rotate_after, now);
        if let Some(signs_from) = plan.make {
            let key = SigningKey::generate(*algorithm, now)?;
            tracing::info!(key.id = key.kid(), key.signs_from = %signs_from, "a signing key is made");
            let sealed = seal(sealing, &key)?;
            store::signing_key::insert(&mut tx, &Stored::new(&key, sealed, signs_from)).await?;
        }
        for kid in &plan.delete {
            tracing::info!(key.id = kid, "a signing key is over");
            store::signing_key::delete(&mut tx, kid).await?;
        }
        tx.commit().await?;
        self.reload().await
    }

    /// Loads the keys that are stored: other replicas make some too.
    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let Source::Stored { sealing, loaded, .. } = &self.source else { return Ok(()) };
        let stored = store::signing_key::list(&mut *self.db.primary().acquire().await?).await?;
        let keys = stored.iter().map(|stored| {
            let key = open(sealing, stored).ok_or_else(|| Error::Sealed { kid: stored.kid.clone() })?;
            Ok(Loaded { signs_from: stored.signs_from, key })
        });
        let keys = keys.collect::<Result<Vec<_>, Error>>()?;
        let trusted = keys.iter().map(|loaded| loaded.key.verifying_key()).collect::<Result<Vec<_>, _>>()?;
        self.trusted.replace(trusted);
        loaded.store(Arc::new(keys));
        Ok(())
    }

    /// Signs an access token with the key of the moment.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, Error> {
        match &self.source {
            Source::Shared(key) => Ok(key.sign(claims)?),
            Source::Stored { loaded, .. } => {
                let keys = loaded.load();
                let at = signing_key::signer(keys.iter().map(|key| key.signs_from), self.clock.now());
                Ok(at.and_then(|at| keys.get(at)).ok_or(Error::NoKey)?.key.sign(claims)?)
            }
        }
    }

    /// Returns the public halves of the keys: those that sign, will sign, and have signed lately.
    pub(crate) fn published(&self) -> Vec<Jwk> {
        match &self.source {
            Source::Shared(_) => Vec::new(),
            Source::Stored { loaded, .. } => loaded.load().iter().filter_map(|key| key.key.public_jwk()).collect(),
        }
    }
}

/// Seals the private half of a key, bound to its id and algorithm: `nonce ‖ AES-256-GCM(private)`.
fn seal(sealing: &[u8; 32], key: &SigningKey) -> Result<Vec<u8>, Error> {
    let mut private = key.to_pkcs8().expose_secret().to_vec();
    let bound = bound_to(key.kid(), key.algorithm());
    let nonce = RandomizedNonceKey::new(&AES_256_GCM, sealing)?.seal_in_place_append_tag(bound, &mut private)?;
    Ok([nonce.as_ref().as_slice(), &private].concat())
}

fn open(sealing: &[u8; 32], stored: &Stored) -> Option<SigningKey> {
    let (nonce, private) = stored.sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut private = private.to_vec();
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, sealing).ok()?;
    let private = cipher.open_in_place(nonce, bound_to(&stored.kid, stored.algorithm), &mut private).ok()?;
    let private = SecretSlice::from(private.to_vec());
    SigningKey::from_pkcs8(stored.kid.clone(), stored.algorithm, &private, stored.created_at).ok()
}

fn bound_to(kid: &str, algorithm: Algorithm) -> Aad<Vec<u8>> {
    Aad::from([b"taskman signing key\n", kid.as_bytes(), b"\n", algorithm.name().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_with_its_secret_under_its_own_id_only() {
        let key = SigningKey::generate(Algorithm::Es256, DateTime::UNIX_EPOCH).unwrap();
        let stored = Stored::new(&key, seal(&[1; 32], &key).unwrap(), DateTime::UNIX_EPOCH);
        let opened = open(&[1; 32], &stored).unwrap();
        assert_eq!((opened.kid(), opened.public_jwk()), (key.kid(), key.public_jwk()));
        assert!(open(&[2; 32], &stored).is_none());
        assert!(open(&[1; 32], &Stored { kid: "other".to_owned(), ..stored.clone() }).is_none());
        assert!(open(&[1; 32], &Stored { sealed: Vec::new(), ..stored.clone() }).is_none());
        let private = key.to_pkcs8();
        let private = private.expose_secret();
        assert!(!stored.sealed.windows(16).any(|window| private.windows(16).any(|part| part == window)));
    }
}
