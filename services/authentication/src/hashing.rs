//! Hashes passwords: slow on purpose, so in a bounded pool of threads with a short queue.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Span;

use crate::config::Config;
use crate::error::Error;
use crate::metrics;

/// The cost: memory in KiB, passes, lanes. About 35 ms on a server's core.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// How a hash of this cost begins; any other is upgraded at the next login.
const CURRENT: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// Stands in for the hash of a user who has none: random salt, random hash, so no password leads to it.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$jfL61x6POrspnQZrc/r7Mw$39IHfd2qo3iPZkW1QVBWqPoNPqWH4uwqOuqXzgS9iXg";

/// Hashes passwords and compares them with hashes. Clones share the pool.
#[derive(Debug, Clone)]
pub(crate) struct Hashing {
    /// Places at work and in the queue together.
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

/// A place in the queue: whoever has one will have a password hashed soon.
#[derive(Debug)]
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    workers: Arc<Semaphore>,
}

impl Hashing {
    /// Makes the pool; its threads are the runtime's.
    pub(crate) fn new(config: &Config) -> Self {
        let workers = config.hash_workers();
        Self {
            places: Arc::new(Semaphore::new(workers + config.hash_queue)),
            workers: Arc::new(Semaphore::new(workers)),
        }
    }

    /// Takes a place, or says that there are too many before.
    pub(crate) fn queue(&self) -> Result<Place, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            metrics::hashing_overloaded();
            Error::Overloaded
        })?;
        Ok(Place { _place: place, workers: Arc::clone(&self.workers) })
    }
}

impl Place {
    /// Hashes a password into a PHC string with a new salt.
    pub(crate) async fn hash(self, password: SecretString) -> Result<String, Error> {
        self.work(move || {
            let hash = hasher()?.hash_password(password.expose_secret().as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| Error::Crypto)
        })
        .await
        .map(|(_, hash)| hash)
    }

    /// Says whether `password` is the one that `hash` was made from; the same work is done, in vain, where there is no
    /// hash. The place is given back for a second hash (an upgrade).
    pub(crate) async fn verify(self, password: SecretString, hash: Option<String>) -> Result<(Self, bool), Error> {
        self.work(move || Ok(matches(password.expose_secret(), hash.as_deref().unwrap_or(NOBODYS)))).await
    }

    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<(Self, T), Error> {
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| Error::Overloaded)?;
        let parent = Span::current();
        // The permits move along: a caller who has gone away does not make room before the thread is free.
        let worked = tokio::task::spawn_blocking(move || {
            let _entered = tracing::info_span!(parent: &parent, "hash_password").entered();
            metrics::password_hashed();
            let done = work();
            drop(worker);
            done.map(|done| (self, done))
        });
        // The work cannot panic; the runtime may be shutting down.
        worked.await.map_err(|_| Error::Overloaded)?
    }
}

/// Says whether a stored hash is to be replaced when its password is at hand.
pub(crate) fn is_outdated(hash: &str) -> bool {
    !hash.starts_with(CURRENT)
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| Error::Crypto)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn matches(password: &str, hash: &str) -> bool {
    // bcrypt: $2a$, $2b$, $2x$, $2y$; all that come in are imported ones, which cut passwords at 72 bytes.
    if hash.starts_with("$2") {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    // The parameters are those of the hash.
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(workers: usize, queue: usize) -> Hashing {
        Hashing::new(&Config { hash_workers: workers, hash_queue: queue, ..Config::default() })
    }

    #[tokio::test]
    async fn a_hash_is_current_and_verifies_its_password_byte_by_byte() {
        let pool = pool(1, 1);
        let hash = pool.queue().unwrap().hash("Violet kettle é".to_owned().into()).await.unwrap();
        assert!(!is_outdated(&hash), "{hash}");
        for (password, expected) in [("Violet kettle é", true), ("violet kettle é", false), ("Violet kettle é ", false)]
        {
            let place = pool.queue().unwrap();
            let (_, same) = place.verify(password.to_owned().into(), Some(hash.clone())).await.unwrap();
            assert_eq!(same, expected, "{password}");
        }
    }

    #[tokio::test]
    async fn no_hash_and_a_damaged_hash_match_nothing() {
        let pool = pool(1, 1);
        assert!(!is_outdated(NOBODYS));
        assert!(PasswordHash::new(NOBODYS).is_ok(), "else nothing would be hashed");
        for hash in [None, Some(String::new()), Some("$2b$12$short".to_owned()), Some("secret".to_owned())] {
            let (_, same) = pool.queue().unwrap().verify("secret".to_owned().into(), hash).await.unwrap();
            assert!(!same);
        }
    }

    #[test]
    fn an_imported_bcrypt_hash_is_accepted_and_outdated() {
        let hash = bcrypt::hash("violet kettle", 4).unwrap();
        assert!(is_outdated(&hash));
        assert!(matches("violet kettle", &hash) && !matches("violet", &hash));
        assert!(is_outdated("$argon2id$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$aGFzaA"));
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_refused_at_once() {
        let pool = pool(1, 1);
        let (first, second) = (pool.queue().unwrap(), pool.queue().unwrap());
        assert!(matches!(pool.queue(), Err(Error::Overloaded)));
        drop(second);
        assert!(pool.queue().is_ok());
        drop(first);
    }
}
