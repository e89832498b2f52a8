//! Stand-ins for the services that the notification service asks.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::Stream;
use taskman_ids::{CompanyId, UserId};
use taskman_proto::authentication::authentication_service_server::AuthenticationService;
use taskman_proto::authentication::*;
use taskman_proto::user::get_login_subject_request::By;
use taskman_proto::user::user_service_server::UserService;
use taskman_proto::user::{
    ActivateUserRequest, ActivateUserResponse, CompanyStatus, CreateUserRequest, CreateUserResponse,
    DeactivateUserRequest, DeactivateUserResponse, GetAssignableRequest, GetAssignableResponse, GetCurrentUserRequest,
    GetCurrentUserResponse, GetLoginSubjectRequest, GetLoginSubjectResponse, GetSubjectRequest, GetSubjectResponse,
    GetUserRequest, GetUserResponse, ListUsersRequest, ListUsersResponse, LoginSubject, RegisterCompanyRequest,
    RegisterCompanyResponse, WatchChangesRequest, WatchChangesResponse,
};
use tonic::{Request, Response, Status};

/// The authentication and the user service: who there is, and which links were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Others {
    people: Arc<Mutex<HashMap<UserId, LoginSubject>>>,
    minted: Arc<Mutex<Vec<MintLinkRequest>>>,
    users_away: Arc<AtomicBool>,
    links_away: Arc<AtomicBool>,
    links_dead: Arc<AtomicBool>,
}

impl Others {
    /// Adds an active user of `company`.
    pub(crate) fn add(&self, company: CompanyId) -> UserId {
        let user = UserId::new();
        let subject = LoginSubject {
            user_id: user.to_string(),
            company_id: company.to_string(),
            email: address(user),
            username: "grace".into(),
            first_name: "Grace".into(),
            locale: "en".into(),
            active: true,
            company_status: CompanyStatus::Active.into(),
            company_name: "Analytical Engines".into(),
            timezone: "UTC".into(),
        };
        self.people.lock().unwrap().insert(user, subject);
        user
    }

    /// Changes what is known of a user.
    pub(crate) fn change(&self, user: UserId, change: impl FnOnce(&mut LoginSubject)) {
        change(self.people.lock().unwrap().get_mut(&user).unwrap());
    }

    /// Lets the user service answer or not.
    pub(crate) fn users_away(&self, away: bool) {
        self.users_away.store(away, Ordering::SeqCst);
    }

    /// Lets the authentication service make links or not.
    pub(crate) fn links_away(&self, away: bool) {
        self.links_away.store(away, Ordering::SeqCst);
    }

    /// Has every link be one that cannot be used any more.
    pub(crate) fn end_links(&self) {
        self.links_dead.store(true, Ordering::SeqCst);
    }

    /// Returns which links were asked for.
    pub(crate) fn minted(&self) -> Vec<MintLinkRequest> {
        self.minted.lock().unwrap().clone()
    }
}

/// The address of a user who was added.
pub(crate) fn address(user: UserId) -> String {
    format!("{user}@example.com")
}

/// The secret that the authentication service makes as its n-th, from 1.
pub(crate) fn secret(number: usize) -> String {
    format!("secret-of-link-{number}")
}

fn not_asked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the notification service has no business here"))
}

#[tonic::async_trait]
impl AuthenticationService for Others {
    async fn mint_link(&self, request: Request<MintLinkRequest>) -> Result<Response<MintLinkResponse>, Status> {
        if self.links_away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        if self.links_dead.load(Ordering::SeqCst) {
            return Err(Status::failed_precondition("the link is used up"));
        }
        let mut minted = self.minted.lock().unwrap();
        minted.push(request.into_inner());
        Ok(Response::new(MintLinkResponse { token: secret(minted.len()), expires_at: None }))
    }
    async fn create_credential(
        &self,
        _: Request<CreateCredentialRequest>,
    ) -> Result<Response<CreateCredentialResponse>, Status> {
        not_asked()
    }
    async fn create_link_request(
        &self,
        _: Request<CreateLinkRequestRequest>,
    ) -> Result<Response<CreateLinkRequestResponse>, Status> {
        not_asked()
    }
    async fn revoke_subject(
        &self,
        _: Request<RevokeSubjectRequest>,
    ) -> Result<Response<RevokeSubjectResponse>, Status> {
        not_asked()
    }
    async fn login(&self, _: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        not_asked()
    }
    async fn logout(&self, _: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        not_asked()
    }
    async fn refresh_token(&self, _: Request<RefreshTokenRequest>) -> Result<Response<RefreshTokenResponse>, Status> {
        not_asked()
    }
    async fn verify_token(&self, _: Request<VerifyTokenRequest>) -> Result<Response<VerifyTokenResponse>, Status> {
        not_asked()
    }
    async fn request_password_reset(
        &self,
        _: Request<RequestPasswordResetRequest>,
    ) -> Result<Response<RequestPasswordResetResponse>, Status> {
        not_asked()
    }
    async fn reset_password(
        &self,
        _: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        not_asked()
    }
    async fn get_jwks(&self, _: Request<GetJwksRequest>) -> Result<Response<GetJwksResponse>, Status> {
        not_asked()
    }
    async fn check_session(&self, _: Request<CheckSessionRequest>) -> Result<Response<CheckSessionResponse>, Status> {
        not_asked()
    }
    type WatchRevocationsStream = Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;
    async fn watch_revocations(
        &self,
        _: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        not_asked()
    }
}

#[tonic::async_trait]
impl UserService for Others {
    async fn get_login_subject(
        &self,
        request: Request<GetLoginSubjectRequest>,
    ) -> Result<Response<GetLoginSubjectResponse>, Status> {
        if self.users_away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let Some(By::UserId(user)) = request.into_inner().by else { return not_asked() };
        let subject = self.people.lock().unwrap().get(&user.parse().unwrap()).cloned();
        Ok(Response::new(GetLoginSubjectResponse { subject }))
    }
    async fn register_company(
        &self,
        _: Request<RegisterCompanyRequest>,
    ) -> Result<Response<RegisterCompanyResponse>, Status> {
        not_asked()
    }
    async fn create_user(&self, _: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        not_asked()
    }
    async fn get_user(&self, _: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        not_asked()
    }
    async fn get_current_user(
        &self,
        _: Request<GetCurrentUserRequest>,
    ) -> Result<Response<GetCurrentUserResponse>, Status> {
        not_asked()
    }
    async fn list_users(&self, _: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        not_asked()
    }
    async fn activate_user(&self, _: Request<ActivateUserRequest>) -> Result<Response<ActivateUserResponse>, Status> {
        not_asked()
    }
    async fn deactivate_user(
        &self,
        _: Request<DeactivateUserRequest>,
    ) -> Result<Response<DeactivateUserResponse>, Status> {
        not_asked()
    }
    async fn get_subject(&self, _: Request<GetSubjectRequest>) -> Result<Response<GetSubjectResponse>, Status> {
        not_asked()
    }
    async fn get_assignable(
        &self,
        _: Request<GetAssignableRequest>,
    ) -> Result<Response<GetAssignableResponse>, Status> {
        not_asked()
    }
    type WatchChangesStream = Pin<Box<dyn Stream<Item = Result<WatchChangesResponse, Status>> + Send>>;
    async fn watch_changes(
        &self,
        _: Request<WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        not_asked()
    }
}
