//! What one service tells another about a call: sealed, for one receiver, one method and a few seconds.
//!
//! The text is `base64url(JSON) "." base64url(HMAC-SHA256)`; the JSON names the key. The gateway seals one for every
//! call that it passes on; services seal one for the FLEET methods of each other.

mod fleet;
mod keys;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use taskman_errors::{Failure, Kind};

use crate::caller::Principal;

pub use fleet::{Rotation, generate_fleet_keys, rotate_fleet_keys};
pub use keys::{VoucherKeys, VoucherKeysError};

/// The longest time that a voucher may be good for.
pub const MAX_VOUCHER_LIFETIME: TimeDelta = TimeDelta::seconds(10);

/// Says on whose account a call is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// The service that makes the call.
    pub issuer: String,
    /// The service that is called.
    pub audience: String,
    /// The full path of the method, such as `/taskman.task.v1.TaskService/GetTask`.
    pub method: String,
    /// On whose account.
    pub principal: Principal,
    /// From when it is good.
    pub issued_at: DateTime<Utc>,
    /// From when it is not good any more: the call's deadline, at most [`MAX_VOUCHER_LIFETIME`] later.
    pub expires_at: DateTime<Utc>,
}

impl Voucher {
    /// Returns the service that makes the call; only the gateway's word counts for methods that are open to people.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Why a voucher is refused, or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoucherError {
    /// It is not a voucher as ours are.
    #[error("the voucher is not valid")]
    Malformed,
    /// It names a key that is not held here.
    #[error("the voucher is not valid")]
    UnknownKey,
    /// It was not sealed with the key that it names.
    #[error("the voucher is not valid")]
    BadSeal,
    /// It names another issuer than its key's, or speaks for another service than its issuer.
    #[error("the voucher is not valid")]
    WrongIssuer,
    /// It is meant for another service.
    #[error("the voucher is not valid")]
    WrongAudience,
    /// It is meant for another method.
    #[error("the voucher is not valid")]
    WrongMethod,
    /// It is over.
    #[error("the voucher has expired")]
    Expired,
    /// Its time has not come.
    #[error("the voucher is not valid")]
    NotYetValid,
    /// It is good for longer than any voucher may be.
    #[error("the voucher is good for too long")]
    TooLong,
    /// No key is held for calls to that service.
    #[error("there is no key for vouchers to that service")]
    NoKey,
    /// It could not be sealed: what it says of the principal is too large.
    #[error("the voucher is too large")]
    TooLarge,
}

impl VoucherError {
    /// Returns the name of the case, for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::BadSeal => "bad_seal",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongMethod => "wrong_method",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::TooLong => "too_long",
            Self::NoKey => "no_key",
            Self::TooLarge => "too_large",
        }
    }
}

impl Failure for VoucherError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoKey | Self::TooLarge => Kind::Internal,
            _ => Kind::Unauthenticated,
        }
    }

    fn reason(&self) -> &'static str {
        if self.kind() == Kind::Internal { "INTERNAL" } else { "TOKEN_INVALID" }
    }
}
