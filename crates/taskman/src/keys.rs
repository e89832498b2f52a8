//! The keys of a fleet: vouchers between its services, and each service's own secret.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use taskman_identity::generate_fleet_keys;

/// The services of the fleet.
pub const SERVICES: [&str; 8] =
    ["authentication", "authorization", "user", "iam-admin", "task", "audit", "notification", "gateway"];

/// The keys of one service.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServiceKeys {
    fleet: String,
    secret: String,
}

impl std::fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceKeys")
    }
}

impl ServiceKeys {
    /// Returns what `identity.fleet_keys` of the service is to hold.
    pub fn fleet(&self) -> SecretString {
        SecretString::from(self.fleet.as_str())
    }

    /// Returns what `identity.secret_key` of the service is to hold.
    pub fn secret(&self) -> SecretString {
        SecretString::from(self.secret.as_str())
    }
}

/// The keys of every service of a fleet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FleetKeys(BTreeMap<String, ServiceKeys>);

impl FleetKeys {
    /// Makes new keys.
    pub fn generate() -> anyhow::Result<Self> {
        let keys = generate_fleet_keys(&SERVICES)?;
        keys.into_iter()
            .map(|(service, fleet)| Ok((service, ServiceKeys { fleet, secret: secret()? })))
            .collect::<anyhow::Result<_>>()
            .map(Self)
    }

    /// Reads the keys in `file`, or makes them and writes them there, readable to the owner alone.
    pub fn load_or_generate(file: &Path) -> anyhow::Result<Self> {
        if file.exists() {
            let text = std::fs::read(file).with_context(|| file.display().to_string())?;
            return serde_json::from_slice(&text).with_context(|| format!("{} holds no keys", file.display()));
        }
        let keys = Self::generate()?;
        write_private(file, &serde_json::to_vec(&keys)?)?;
        Ok(keys)
    }

    /// Returns the keys of a service.
    pub fn of(&self, service: &str) -> anyhow::Result<&ServiceKeys> {
        self.0.get(service).with_context(|| format!("there are no keys for {service}"))
    }

    /// Writes `<service>.fleet-keys` and `<service>.secret-key` for each service into `folder`, for the `_FILE` variables.
    /// Files that are there stay as they are: they may be in use.
    pub fn write_files(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        for (service, keys) in &self.0 {
            write_private(&folder.join(format!("{service}.fleet-keys")), keys.fleet.as_bytes())?;
            write_private(&folder.join(format!("{service}.secret-key")), keys.secret.as_bytes())?;
        }
        Ok(())
    }
}

fn secret() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the machine has no randomness"))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn write_private(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("cannot make {}", file.display()))?;
    opened.write_all(content).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/keys.json");
        let made = FleetKeys::load_or_generate(&file).unwrap();
        let read = FleetKeys::load_or_generate(&file).unwrap();
        for service in SERVICES {
            assert_eq!(made.of(service).unwrap().secret, read.of(service).unwrap().secret);
        }
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn key_files_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let keys = FleetKeys::generate().unwrap();
        keys.write_files(folder.path()).unwrap();
        assert!(keys.write_files(folder.path()).is_err());
    }
}
