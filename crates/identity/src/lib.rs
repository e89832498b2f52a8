//! Callers: who makes a call, and how one process proves it to another.
//!
//! Pure and in memory; who fetches keys and revocations is the chassis, who asks whether the caller may is `access`.
//!
//! - [`Caller`] is a user with a verified token, [`Principal`] whoever makes a call, [`Client`] where it came from.
//! - [`SigningKey`] signs [`Claims`] into an access token, [`TokenVerifier`] reads it with the keys of a [`KeySet`].
//! - [`RevocationList`] knows which tokens ended early, and whether it knows all of them.
//! - [`Voucher`] is what one service tells another about a call, sealed and opened with [`VoucherKeys`].

mod caller;
mod claims;
mod key;
mod revocation;
mod strict_json;
mod token;
mod voucher;

pub use caller::{Caller, Client, Principal};
pub use claims::Claims;
pub use key::{Algorithm, Jwk, KeyError, KeySet, SigningKey, VerifyingKey};
pub use revocation::{Progress, Revocation, RevocationList, Revoked};
pub use token::{Freshness, LEEWAY, TokenError, TokenVerifier, Verified};
pub use voucher::{
    MAX_VOUCHER_LIFETIME, Rotation, Voucher, VoucherError, VoucherKeys, VoucherKeysError, generate_fleet_keys,
    rotate_fleet_keys,
};

/// The request header that carries a [`Voucher`]; edges strip it from what comes from outside.
pub const VOUCHER_HEADER: &str = "x-taskman-voucher";

/// The request header that carries the [`taskman_ids::RequestId`].
pub const REQUEST_ID_HEADER: &str = "x-request-id";
