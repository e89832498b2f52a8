//! Conversions between proto messages and the service's own types.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use taskman_errors::{Violation, Violations};
use taskman_events::auth::RevocationReason;
use taskman_identity::{Caller, Jwk, Revoked};
use taskman_ids::{CompanyId, LinkRequestId, SessionId, UserId};
use taskman_proto::authentication::revocation::What;
use taskman_proto::authentication::watch_revocations_response::Item as ProtoItem;
use taskman_proto::authentication::{
    CheckSessionRequest, CreateCredentialRequest, CreateLinkRequestRequest, GetJwksResponse, JsonWebKey, LinkPurpose,
    LoginRequest, LoginResponse, MintLinkRequest, MintLinkResponse, RefreshTokenResponse, ResetPasswordRequest,
    Revocation, RevocationHeartbeat, RevokeSubjectRequest, RevokeSubjectResponse, VerifyTokenResponse,
    WatchRevocationsResponse,
};

use crate::app::Tokens;
use crate::app::check_session::CheckSession;
use crate::app::create_credential::CreateCredential;
use crate::app::create_link_request::CreateLinkRequest;
use crate::app::login::Login;
use crate::app::mint_link::MintLink;
use crate::app::reset_password::ResetPassword;
use crate::app::revoke_subject::RevokeSubject;
use crate::domain::link::Purpose;
use crate::domain::password::check_length;
use crate::domain::session::ACCESS;
use crate::revocations::Item;

/// What kind of token an access token is, for the `Authorization` header.
const TOKEN_TYPE: &str = "Bearer";

impl From<LoginRequest> for Login {
    /// Takes anything: a refusal here would be told from one later.
    fn from(request: LoginRequest) -> Self {
        Self { email: request.email, password: request.password.into() }
    }
}

impl TryFrom<ResetPasswordRequest> for ResetPassword {
    type Error = Vec<Violation>;

    fn try_from(request: ResetPasswordRequest) -> Result<Self, Self::Error> {
        let mut found = Violations::new();
        if request.token.is_empty() {
            found.add("token", "is missing");
        }
        let password = SecretString::from(request.new_password);
        found.check("new_password", check_length(&password));
        found.finish_with(Some(Self { token: request.token.into(), password }))
    }
}

impl TryFrom<CreateCredentialRequest> for CreateCredential {
    type Error = Vec<Violation>;

    fn try_from(request: CreateCredentialRequest) -> Result<Self, Self::Error> {
        let mut found = Violations::new();
        let user = found.check("user_id", UserId::parse(&request.user_id));
        let company = found.check("company_id", CompanyId::parse(&request.company_id));
        let password = SecretString::from(request.password);
        found.check("password", check_length(&password));
        let personal_words = request.personal_words;
        let ids = company.zip(user);
        found.finish_with(ids.map(|(company, user)| Self { company, user, password, personal_words }))
    }
}

impl TryFrom<MintLinkRequest> for MintLink {
    type Error = Vec<Violation>;

    fn try_from(request: MintLinkRequest) -> Result<Self, Self::Error> {
        let mut found = Violations::new();
        let id = found.check("link_request_id", LinkRequestId::parse(&request.link_request_id));
        let purpose = match request.purpose() {
            LinkPurpose::Unspecified => None,
            LinkPurpose::ResetPassword => Some(Purpose::ResetPassword),
            LinkPurpose::SetPassword => Some(Purpose::SetPassword),
        };
        if purpose.is_none() {
            found.add("purpose", "is missing or unknown");
        }
        found.finish_with(id.zip(purpose).map(|(id, purpose)| Self { id, purpose }))
    }
}

impl TryFrom<CreateLinkRequestRequest> for CreateLinkRequest {
    type Error = Vec<Violation>;

    fn try_from(request: CreateLinkRequestRequest) -> Result<Self, Self::Error> {
        let mut found = Violations::new();
        let id = found.check("link_request_id", LinkRequestId::parse(&request.link_request_id));
        let user = found.check("user_id", UserId::parse(&request.user_id));
        let company = found.check("company_id", CompanyId::parse(&request.company_id));
        if request.purpose() != LinkPurpose::SetPassword {
            found.add("purpose", "must be SET_PASSWORD");
        }
        let ids = id.zip(company.zip(user));
        found.finish_with(ids.map(|(id, (company, user))| Self { id, company, user }))
    }
}

impl TryFrom<RevokeSubjectRequest> for RevokeSubject {
    type Error = Vec<Violation>;

    fn try_from(request: RevokeSubjectRequest) -> Result<Self, Self::Error> {
        let mut found = Violations::new();
        let user = found.check("user_id", UserId::parse(&request.user_id));
        let company = found.check("company_id", CompanyId::parse(&request.company_id));
        let reason = match request.reason.as_str() {
            "deactivated" | "deleted" => Some(RevocationReason::UserDeactivated),
            "suspended" => Some(RevocationReason::CompanySuspended),
            _ => None,
        };
        if reason.is_none() {
            found.add("reason", "must be deactivated, deleted or suspended");
        }
        let parts = company.zip(user).zip(reason);
        found.finish_with(parts.map(|((company, user), reason)| Self { company, user, reason }))
    }
}

impl TryFrom<CheckSessionRequest> for CheckSession {
    type Error = Vec<Violation>;

    fn try_from(request: CheckSessionRequest) -> Result<Self, Self::Error> {
        let mut found = Violations::new();
        let session = found.check("session_id", SessionId::parse(&request.session_id));
        let company = found.check("company_id", CompanyId::parse(&request.company_id));
        let issued_at = request.issued_at.and_then(time);
        if issued_at.is_none() {
            found.add("issued_at", "is missing or not a time");
        }
        let parts = company.zip(session).zip(issued_at);
        found.finish_with(parts.map(|((company, session), issued_at)| Self { company, session, issued_at }))
    }
}

/// Answers a login.
pub(super) fn login_response(tokens: &Tokens) -> LoginResponse {
    LoginResponse {
        access_token: tokens.access.expose_secret().to_owned(),
        refresh_token: tokens.refresh.expose_secret().to_owned(),
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: expires_in(),
        session_id: tokens.session.to_string(),
        user_id: tokens.user.to_string(),
    }
}

/// Answers a refresh.
pub(super) fn refresh_response(tokens: &Tokens) -> RefreshTokenResponse {
    RefreshTokenResponse {
        access_token: tokens.access.expose_secret().to_owned(),
        refresh_token: tokens.refresh.expose_secret().to_owned(),
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: expires_in(),
    }
}

/// Answers whose token it is, if it is valid.
pub(super) fn verify_response(caller: Option<Caller>) -> VerifyTokenResponse {
    caller.map_or_else(VerifyTokenResponse::default, |caller| VerifyTokenResponse {
        valid: true,
        user_id: caller.user.to_string(),
        company_id: caller.company.to_string(),
        session_id: caller.session.to_string(),
        roles: caller.roles,
        expires_at: Some(timestamp(caller.expires_at)),
    })
}

/// Answers with the public keys.
pub(super) fn jwks(keys: Vec<Jwk>) -> GetJwksResponse {
    let keys = keys.into_iter().map(|key| JsonWebKey {
        kty: key.kty,
        r#use: key.use_,
        alg: key.alg,
        kid: key.kid,
        crv: key.crv,
        x: key.x,
        y: key.y.unwrap_or_default(),
    });
    GetJwksResponse { keys: keys.collect() }
}

/// Answers with the secret of a link.
pub(super) fn mint_response((token, expires_at): (SecretString, DateTime<Utc>)) -> MintLinkResponse {
    MintLinkResponse { token: token.expose_secret().to_owned(), expires_at: Some(timestamp(expires_at)) }
}

/// Answers how many sessions ended.
pub(super) fn revoke_response(ended: usize) -> RevokeSubjectResponse {
    RevokeSubjectResponse { sessions_ended: i32::try_from(ended).unwrap_or(i32::MAX) }
}

/// Makes the next message of the stream of revocations.
pub(super) fn watch_response(item: Item) -> WatchRevocationsResponse {
    let item = match item {
        Item::Heartbeat(head) => ProtoItem::Heartbeat(RevocationHeartbeat { head }),
        Item::Revocation(revocation) => ProtoItem::Revocation(Revocation {
            position: revocation.position,
            what: Some(match revocation.what {
                Revoked::Session(session) => What::SessionId(session.to_string()),
                Revoked::User(user) => What::UserId(user.to_string()),
            }),
            issued_until: Some(timestamp(revocation.issued_until)),
            forget_at: Some(timestamp(revocation.forget_at)),
        }),
    };
    WatchRevocationsResponse { item: Some(item) }
}

fn expires_in() -> i32 {
    i32::try_from(ACCESS.num_seconds()).unwrap_or(i32::MAX)
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    // Below 10^9, whatever the time.
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() }
}

fn time(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
