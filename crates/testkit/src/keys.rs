//! Keys that a test fleet shares.

use std::collections::BTreeMap;

use secrecy::SecretString;
use taskman_identity::generate_fleet_keys;

/// The services of the fleet.
pub const FLEET: [&str; 8] =
    ["authentication", "authorization", "user", "iam-admin", "task", "audit", "notification", "gateway"];

/// Makes voucher keys for every pair of services.
pub fn fleet_keys() -> BTreeMap<String, String> {
    generate_fleet_keys(&FLEET).expect("the machine has randomness")
}

/// Returns a secret for [`taskman_chassis::config::IdentityConfig::secret_key`]: 32 bytes in base64.
pub fn secret_key() -> SecretString {
    SecretString::from("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
}
