//! What an access token says.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskman_ids::{CompanyId, SessionId, UserId};
use uuid::Uuid;

use crate::caller::{Caller, Client};
use crate::strict_json;

/// What an access token says of its bearer.
///
/// On the wire the user stands in `sub` and `user_id`, the company in `company_id` and `tenant_id`. The standard's times
/// are whole seconds; `iat_us` repeats `iat` in microseconds, so that a revocation can tell tokens of one second apart.
/// `Debug` leaves out the e-mail address.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who issued the token (`iss`).
    pub issuer: String,
    /// Whom it is for (`aud`).
    pub audience: String,
    /// The user.
    pub user: UserId,
    /// The user's company.
    pub company: CompanyId,
    /// The login session (`sid`).
    pub session: SessionId,
    /// The user's e-mail address.
    pub email: String,
    /// The names of the user's roles; informative, no decision reads them.
    pub roles: Vec<String>,
    /// The state of the company's rights at the time.
    pub iam_position: i64,
    /// The token's own id (`jti`).
    pub token: Uuid,
    /// When it was issued, in microseconds (`iat`, `iat_us`).
    pub issued_at: DateTime<Utc>,
    /// From when it is valid, in seconds (`nbf`).
    pub not_before: DateTime<Utc>,
    /// From when it is not valid any more, in seconds (`exp`).
    pub expires_at: DateTime<Utc>,
    /// When the user last proved the password, in seconds (`auth_time`).
    pub authenticated_at: DateTime<Utc>,
}

impl Claims {
    /// Returns the caller that these claims describe, calling from `client`.
    pub fn caller(&self, client: Client) -> Caller {
        Caller {
            user: self.user,
            company: self.company,
            session: self.session,
            email: self.email.clone(),
            roles: self.roles.clone(),
            iam_position: self.iam_position,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            client,
        }
    }

    /// Reads the payload of a token; the two names of user and company must agree, and so must the two issue times.
    pub(crate) fn from_json(bytes: &[u8]) -> Option<Self> {
        let wire: Wire = strict_json::from_slice(bytes).ok()?;
        let issued_at = DateTime::from_timestamp_micros(wire.iat_us.try_into().ok()?)?;
        let agree = wire.user_id == wire.sub
            && wire.tenant_id == wire.company_id
            && wire.iat <= LAST_SECOND
            && wire.iat_us / 1_000_000 == wire.iat
            && wire.iam_position >= 0;
        agree.then_some(())?;
        Some(Self {
            issuer: wire.iss,
            audience: wire.aud,
            user: wire.sub,
            company: wire.company_id,
            session: wire.sid,
            email: wire.email,
            roles: wire.roles,
            iam_position: wire.iam_position,
            token: wire.jti,
            issued_at,
            not_before: seconds(wire.nbf)?,
            expires_at: seconds(wire.exp)?,
            authenticated_at: seconds(wire.auth_time)?,
        })
    }
}

impl Serialize for Claims {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::of(self).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("user", &self.user)
            .field("company", &self.company)
            .field("session", &self.session)
            .field("token", &self.token)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The last second of the year 9999: the standard's times go no further here.
const LAST_SECOND: u64 = 253_402_300_799;

/// The payload as it is signed. Unsigned integers refuse times that are negative, fractions, texts or missing.
#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    aud: String,
    sub: UserId,
    user_id: UserId,
    email: String,
    company_id: CompanyId,
    tenant_id: CompanyId,
    roles: Vec<String>,
    iam_position: i64,
    sid: SessionId,
    jti: Uuid,
    iat: u64,
    iat_us: u64,
    nbf: u64,
    exp: u64,
    auth_time: u64,
}

impl Wire {
    fn of(claims: &Claims) -> Result<Self, &'static str> {
        let whole = |time: DateTime<Utc>| u64::try_from(time.timestamp()).map_err(|_| "a time before 1970");
        Ok(Self {
            iss: claims.issuer.clone(),
            aud: claims.audience.clone(),
            sub: claims.user,
            user_id: claims.user,
            email: claims.email.clone(),
            company_id: claims.company,
            tenant_id: claims.company,
            roles: claims.roles.clone(),
            iam_position: claims.iam_position,
            sid: claims.session,
            jti: claims.token,
            iat: whole(claims.issued_at)?,
            iat_us: u64::try_from(claims.issued_at.timestamp_micros()).map_err(|_| "a time before 1970")?,
            nbf: whole(claims.not_before)?,
            exp: whole(claims.expires_at)?,
            auth_time: whole(claims.authenticated_at)?,
        })
    }
}

fn seconds(value: u64) -> Option<DateTime<Utc>> {
    if value > LAST_SECOND {
        return None;
    }
    DateTime::from_timestamp(i64::try_from(value).ok()?, 0)
}
