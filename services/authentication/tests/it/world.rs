//! The service at work, with people who can log in.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use taskman_authentication::{AuthenticationService, Config};
use taskman_events::{Envelope, Event};
use taskman_identity::{Caller, Client, Jwk, KeySet, RevocationList, TokenVerifier, VerifyingKey};
use taskman_ids::{CompanyId, LinkRequestId, RequestId, SessionId, UserId};
use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_proto::authentication::{
    CheckSessionRequest, CreateCredentialRequest, GetJwksRequest, JsonWebKey, LinkPurpose, LoginRequest, LoginResponse,
    LogoutRequest, MintLinkRequest, MintLinkResponse, RefreshTokenRequest, RefreshTokenResponse,
    RequestPasswordResetRequest, ResetPasswordRequest, RevokeSubjectRequest, VerifyTokenRequest, VerifyTokenResponse,
};
use taskman_proto::iam::iam_admin_service_server::IamAdminServiceServer;
use taskman_proto::user::user_service_server::UserServiceServer;
use taskman_proto::user::{CompanyStatus, LoginSubject};
use taskman_rpc::UpstreamError;
use taskman_testkit::{Calls, TestService};
use tonic::{Code, Request, Status};

use crate::fakes::{Iam, Users};

/// The password of everybody who has one.
pub(crate) const PASSWORD: &str = "violet kettle 9";

/// The service, and those that it asks.
pub(crate) struct World {
    pub(crate) users: Users,
    pub(crate) iam: Iam,
    pub(crate) service: TestService,
}

/// Somebody.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: UserId,
    pub(crate) company: CompanyId,
    pub(crate) email: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::configured(|_| {}).await
    }

    pub(crate) async fn configured(change: impl FnOnce(&mut taskman_chassis::Config<Config>)) -> Self {
        let (users, iam) = (Users::default(), Iam::default());
        let service = taskman_testkit::service::<AuthenticationService>()
            .configure(|config| {
                // The machine of a test may be slow; what is tested here is not how fast it is.
                config.database.acquire_timeout_ms = 20_000;
                config.database.lock_timeout_ms = 20_000;
                config.database.statement_timeout_ms = 20_000;
                change(config);
            })
            .upstream("user", UserServiceServer::new(users.clone()))
            .await
            .upstream("iam-admin", IamAdminServiceServer::new(iam.clone()))
            .await
            .start()
            .await;
        Self { users, iam, service }
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }

    pub(crate) fn public(&self) -> AuthenticationServiceClient<Calls> {
        AuthenticationServiceClient::new(self.service.anybody())
    }

    pub(crate) fn fleet(&self, service: &str) -> AuthenticationServiceClient<Calls> {
        AuthenticationServiceClient::new(self.service.fleet(service))
    }

    /// Calls as somebody at `address`.
    pub(crate) fn at(&self, address: &str) -> AuthenticationServiceClient<Calls> {
        let mut caller = taskman_testkit::caller();
        caller.client.address = Some(address.parse::<IpAddr>().unwrap());
        AuthenticationServiceClient::new(self.service.caller(&caller))
    }

    /// Makes an active user of an active company, without a password.
    pub(crate) fn invited(&self) -> Person {
        let (user, company) = (UserId::new(), CompanyId::new());
        let person = Person { user, company, email: format!("u{}@example.com", user.as_uuid().simple()) };
        self.users.put(person.subject());
        person
    }

    /// Makes an active user of an active company, with the password.
    pub(crate) async fn person(&self) -> Person {
        let person = self.invited();
        let request = CreateCredentialRequest {
            user_id: person.user.to_string(),
            company_id: person.company.to_string(),
            password: PASSWORD.to_owned(),
            personal_words: Vec::new(),
        };
        self.fleet("user").create_credential(request).await.unwrap();
        person
    }

    pub(crate) async fn try_login(&self, email: &str, password: &str) -> Result<LoginResponse, Status> {
        let request = LoginRequest { email: email.to_owned(), password: password.to_owned() };
        self.public().login(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn login(&self, person: &Person) -> LoginResponse {
        self.try_login(&person.email, PASSWORD).await.unwrap()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<RefreshTokenResponse, Status> {
        let request = RefreshTokenRequest { refresh_token: token.to_owned() };
        self.public().refresh_token(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn verify(&self, token: &str) -> VerifyTokenResponse {
        let request = VerifyTokenRequest { token: token.to_owned() };
        self.public().verify_token(request).await.unwrap().into_inner()
    }

    pub(crate) async fn published(&self) -> Vec<JsonWebKey> {
        self.public().get_jwks(GetJwksRequest {}).await.unwrap().into_inner().keys
    }

    /// Verifies a token as any other service does: with nothing but the published keys.
    pub(crate) async fn caller(&self, token: &str) -> Caller {
        let keys = KeySet::new();
        keys.replace(self.published().await.into_iter().map(verifying_key).collect());
        let clock = Arc::new(self.service.clock().clone());
        let verifier = TokenVerifier::new(keys, "https://taskman.dev", "taskman", clock, RevocationList::new());
        verifier.verify(token, Client::unknown(RequestId::new())).unwrap().caller
    }

    pub(crate) async fn logout(&self, caller: &Caller) {
        let mut client = AuthenticationServiceClient::new(self.service.caller(caller));
        client.logout(LogoutRequest {}).await.unwrap();
    }

    pub(crate) async fn is_open(&self, caller: &Caller) -> bool {
        self.is_open_in(caller.company, caller).await
    }

    pub(crate) async fn is_open_in(&self, company: CompanyId, caller: &Caller) -> bool {
        let issued_at = prost_types::Timestamp {
            seconds: caller.issued_at.timestamp(),
            nanos: caller.issued_at.timestamp_subsec_nanos().cast_signed(),
        };
        let request = CheckSessionRequest {
            session_id: caller.session.to_string(),
            company_id: company.to_string(),
            issued_at: Some(issued_at),
        };
        self.fleet("task").check_session(request).await.unwrap().into_inner().open
    }

    pub(crate) async fn revoke(&self, person: &Person, reason: &str) -> i32 {
        let request = RevokeSubjectRequest {
            user_id: person.user.to_string(),
            company_id: person.company.to_string(),
            reason: reason.to_owned(),
        };
        self.fleet("user").revoke_subject(request).await.unwrap().into_inner().sessions_ended
    }

    pub(crate) async fn forget_password(&self, email: &str) {
        let request = RequestPasswordResetRequest { email: email.to_owned() };
        self.public().request_password_reset(request).await.unwrap();
    }

    pub(crate) async fn mint(&self, link: LinkRequestId, purpose: LinkPurpose) -> Result<MintLinkResponse, Status> {
        let request = MintLinkRequest { link_request_id: link.to_string(), purpose: purpose.into() };
        self.fleet("notification").mint_link(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn reset(&self, token: &str, new_password: &str) -> Result<(), Status> {
        let request = ResetPasswordRequest { token: token.to_owned(), new_password: new_password.to_owned() };
        self.public().reset_password(request).await.map(|_| ())
    }

    /// Returns the events of one sort, oldest first.
    pub(crate) async fn events<E: Event>(&self) -> Vec<(Envelope, E)> {
        let events = self.service.events().await;
        events
            .into_iter()
            .filter(|envelope| envelope.routing_key() == E::KEY)
            .map(|envelope| {
                let event = envelope.data().unwrap();
                (envelope, event)
            })
            .collect()
    }

    pub(crate) fn wait(&self, time: TimeDelta) {
        self.service.clock().advance(time);
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.service.pool()).await.unwrap()
    }
}

impl Person {
    pub(crate) fn subject(&self) -> LoginSubject {
        LoginSubject {
            user_id: self.user.to_string(),
            company_id: self.company.to_string(),
            email: self.email.clone(),
            username: "ada.lovelace".to_owned(),
            first_name: "Ada".to_owned(),
            active: true,
            company_status: CompanyStatus::Active.into(),
            company_name: "Analytical Engines".to_owned(),
            ..LoginSubject::default()
        }
    }
}

/// Reads the session's id of an answer.
pub(crate) fn session_of(login: &LoginResponse) -> SessionId {
    SessionId::parse(&login.session_id).unwrap()
}

/// Makes of a request one that belongs to the trace `trace`.
pub(crate) fn traced<T>(message: T, trace: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", format!("00-{trace}-00f067aa0ba902b7-01").parse().unwrap());
    request
}

/// Returns what a status says to programs: code and reason.
pub(crate) fn said(status: &Status) -> (Code, String) {
    (status.code(), UpstreamError::from(status.clone()).upstream_reason().unwrap_or_default())
}

/// Returns the fields that a status finds wrong.
pub(crate) fn wrong_fields(status: &Status) -> Vec<String> {
    assert_eq!(said(status), (Code::InvalidArgument, "FIELD_INVALID".to_owned()), "{status:?}");
    UpstreamError::from(status.clone()).violations().into_iter().map(|violation| violation.field).collect()
}

fn verifying_key(key: JsonWebKey) -> VerifyingKey {
    let jwk = Jwk {
        kty: key.kty,
        use_: key.r#use,
        alg: key.alg,
        kid: key.kid,
        crv: key.crv,
        x: key.x,
        y: (!key.y.is_empty()).then_some(key.y),
    };
    VerifyingKey::from_jwk(jwk).unwrap()
}
