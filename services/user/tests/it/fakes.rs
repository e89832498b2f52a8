//! Stand-ins for the services that the user service calls.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::Stream;
use taskman_proto::authentication::authentication_service_server::{
    AuthenticationService, AuthenticationServiceServer,
};
use taskman_proto::authentication::*;
use taskman_proto::iam::iam_admin_service_server::{IamAdminService, IamAdminServiceServer};
use taskman_proto::iam::{
    AssignRoleRequest, AssignRoleResponse, GetSubjectRolesRequest, GetSubjectRolesResponse, ListRolesRequest,
    ListRolesResponse, ListUserRolesRequest, ListUserRolesResponse, ProvisionCompanyRequest, ProvisionCompanyResponse,
    RevokeRoleRequest, RevokeRoleResponse, WatchChangesRequest, WatchChangesResponse,
};
use taskman_testkit::TestService;
use taskman_user::UserService;
use tonic::{Request, Response, Status};

/// The two services, and what they were asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Others {
    pub(crate) authentication_away: Arc<AtomicBool>,
    pub(crate) iam_away: Arc<AtomicBool>,
    pub(crate) credentials: Arc<AtomicUsize>,
    pub(crate) provisioned: Arc<AtomicUsize>,
    pub(crate) links: Arc<Mutex<Vec<String>>>,
    pub(crate) revoked: Arc<Mutex<Vec<String>>>,
}

impl Others {
    /// Has both away, or both back.
    pub(crate) fn set_away(&self, away: bool) {
        self.authentication_away.store(away, Ordering::SeqCst);
        self.iam_away.store(away, Ordering::SeqCst);
    }
}

fn answer<T>(away: &AtomicBool, reply: T) -> Result<Response<T>, Status> {
    if away.load(Ordering::SeqCst) { Err(Status::unavailable("away")) } else { Ok(Response::new(reply)) }
}

/// Starts the user service with the two beside it.
pub(crate) async fn start(others: &Others) -> TestService {
    taskman_testkit::service::<UserService>()
        .configure(|config| {
            // The machine of a test may be slow; what is tested here is not how fast it is.
            config.database.acquire_timeout_ms = 20_000;
            config.database.lock_timeout_ms = 20_000;
            config.database.statement_timeout_ms = 20_000;
            config.service.repeat_ms = 50;
        })
        .upstream("authentication", AuthenticationServiceServer::new(others.clone()))
        .await
        .upstream("iam-admin", IamAdminServiceServer::new(others.clone()))
        .await
        .start()
        .await
}

fn not_asked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the user service has no business here"))
}

#[tonic::async_trait]
impl AuthenticationService for Others {
    async fn create_credential(
        &self,
        request: Request<CreateCredentialRequest>,
    ) -> Result<Response<CreateCredentialResponse>, Status> {
        if request.get_ref().password.len() < 8 {
            use tonic_types::{ErrorDetails, StatusExt as _};
            let details = ErrorDetails::with_bad_request_violation("password", "is too short");
            return Err(Status::with_error_details(tonic::Code::InvalidArgument, "invalid", details));
        }
        self.credentials.fetch_add(1, Ordering::SeqCst);
        answer(&self.authentication_away, CreateCredentialResponse {})
    }
    async fn create_link_request(
        &self,
        request: Request<CreateLinkRequestRequest>,
    ) -> Result<Response<CreateLinkRequestResponse>, Status> {
        self.links.lock().unwrap().push(request.into_inner().link_request_id);
        answer(&self.authentication_away, CreateLinkRequestResponse {})
    }
    async fn revoke_subject(
        &self,
        request: Request<RevokeSubjectRequest>,
    ) -> Result<Response<RevokeSubjectResponse>, Status> {
        let answer = answer(&self.authentication_away, RevokeSubjectResponse { sessions_ended: 1 })?;
        self.revoked.lock().unwrap().push(request.into_inner().user_id);
        Ok(answer)
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
    async fn mint_link(&self, _: Request<MintLinkRequest>) -> Result<Response<MintLinkResponse>, Status> {
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
impl IamAdminService for Others {
    async fn provision_company(
        &self,
        _: Request<ProvisionCompanyRequest>,
    ) -> Result<Response<ProvisionCompanyResponse>, Status> {
        let answer = answer(&self.iam_away, ProvisionCompanyResponse { position: 1 })?;
        self.provisioned.fetch_add(1, Ordering::SeqCst);
        Ok(answer)
    }
    async fn list_roles(&self, _: Request<ListRolesRequest>) -> Result<Response<ListRolesResponse>, Status> {
        not_asked()
    }
    async fn assign_role_to_user(&self, _: Request<AssignRoleRequest>) -> Result<Response<AssignRoleResponse>, Status> {
        not_asked()
    }
    async fn revoke_role_from_user(
        &self,
        _: Request<RevokeRoleRequest>,
    ) -> Result<Response<RevokeRoleResponse>, Status> {
        not_asked()
    }
    async fn list_user_roles(
        &self,
        _: Request<ListUserRolesRequest>,
    ) -> Result<Response<ListUserRolesResponse>, Status> {
        not_asked()
    }
    async fn get_subject_roles(
        &self,
        _: Request<GetSubjectRolesRequest>,
    ) -> Result<Response<GetSubjectRolesResponse>, Status> {
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
