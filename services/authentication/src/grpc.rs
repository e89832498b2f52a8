//! The gRPC methods, in the order of the proto file.

mod convert;

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use taskman_proto::authentication::authentication_service_server::AuthenticationService;
use taskman_proto::authentication::{
    CheckSessionRequest, CheckSessionResponse, CreateCredentialRequest, CreateCredentialResponse,
    CreateLinkRequestRequest, CreateLinkRequestResponse, GetJwksRequest, GetJwksResponse, LoginRequest, LoginResponse,
    LogoutRequest, LogoutResponse, MintLinkRequest, MintLinkResponse, RefreshTokenRequest, RefreshTokenResponse,
    RequestPasswordResetRequest, RequestPasswordResetResponse, ResetPasswordRequest, ResetPasswordResponse,
    RevokeSubjectRequest, RevokeSubjectResponse, VerifyTokenRequest, VerifyTokenResponse, WatchRevocationsRequest,
    WatchRevocationsResponse,
};
use taskman_rpc::{handle, handle_fleet, handle_public};
use tonic::{Request, Response, Status};

use crate::app::{self, App};
use crate::error::Error;

type Reply<T> = Result<Response<T>, Status>;

/// Serves the methods.
#[derive(Debug)]
pub(crate) struct Authentication(pub(crate) Arc<App>);

#[tonic::async_trait]
impl AuthenticationService for Authentication {
    async fn login(&self, request: Request<LoginRequest>) -> Reply<LoginResponse> {
        handle_public(request, async |client, request: LoginRequest| {
            app::login::login(&self.0, &client, request.into()).await.map(|tokens| convert::login_response(&tokens))
        })
        .await
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Reply<LogoutResponse> {
        handle(request, async |caller, _| app::logout::logout(&self.0, &caller).await.map(|()| LogoutResponse {})).await
    }

    async fn refresh_token(&self, request: Request<RefreshTokenRequest>) -> Reply<RefreshTokenResponse> {
        handle_public(request, async |client, request: RefreshTokenRequest| {
            let token = request.refresh_token.into();
            app::refresh_token::refresh_token(&self.0, &client, &token)
                .await
                .map(|tokens| convert::refresh_response(&tokens))
        })
        .await
    }

    async fn verify_token(&self, request: Request<VerifyTokenRequest>) -> Reply<VerifyTokenResponse> {
        handle_public(request, async |client, request: VerifyTokenRequest| {
            app::verify_token::verify_token(&self.0, &client, &request.token).await.map(convert::verify_response)
        })
        .await
    }

    async fn request_password_reset(
        &self,
        request: Request<RequestPasswordResetRequest>,
    ) -> Reply<RequestPasswordResetResponse> {
        handle_public(request, async |client, request: RequestPasswordResetRequest| {
            app::request_password_reset::request_password_reset(&self.0, &client, &request.email)
                .await
                .map(|()| RequestPasswordResetResponse {})
        })
        .await
    }

    async fn reset_password(&self, request: Request<ResetPasswordRequest>) -> Reply<ResetPasswordResponse> {
        handle_public(request, async |client, request: ResetPasswordRequest| {
            app::reset_password::reset_password(&self.0, &client, request.try_into()?)
                .await
                .map(|()| ResetPasswordResponse {})
        })
        .await
    }

    async fn get_jwks(&self, request: Request<GetJwksRequest>) -> Reply<GetJwksResponse> {
        handle_public(request, async |_, _| Ok::<_, Error>(convert::jwks(self.0.keyring.published()))).await
    }

    async fn create_credential(&self, request: Request<CreateCredentialRequest>) -> Reply<CreateCredentialResponse> {
        handle_fleet(request, async |_, request: CreateCredentialRequest| {
            app::create_credential::create_credential(&self.0, request.try_into()?)
                .await
                .map(|()| CreateCredentialResponse {})
        })
        .await
    }

    async fn mint_link(&self, request: Request<MintLinkRequest>) -> Reply<MintLinkResponse> {
        handle_fleet(request, async |_, request: MintLinkRequest| {
            app::mint_link::mint_link(&self.0, request.try_into()?).await.map(convert::mint_response)
        })
        .await
    }

    async fn create_link_request(
        &self,
        request: Request<CreateLinkRequestRequest>,
    ) -> Reply<CreateLinkRequestResponse> {
        handle_fleet(request, async |_, request: CreateLinkRequestRequest| {
            app::create_link_request::create_link_request(&self.0, request.try_into()?)
                .await
                .map(|()| CreateLinkRequestResponse {})
        })
        .await
    }

    async fn revoke_subject(&self, request: Request<RevokeSubjectRequest>) -> Reply<RevokeSubjectResponse> {
        handle_fleet(request, async |_, request: RevokeSubjectRequest| {
            app::revoke_subject::revoke_subject(&self.0, request.try_into()?).await.map(convert::revoke_response)
        })
        .await
    }

    async fn check_session(&self, request: Request<CheckSessionRequest>) -> Reply<CheckSessionResponse> {
        handle_fleet(request, async |_, request: CheckSessionRequest| {
            app::check_session::check_session(&self.0, request.try_into()?)
                .await
                .map(|open| CheckSessionResponse { open })
        })
        .await
    }

    type WatchRevocationsStream = BoxStream<'static, Result<WatchRevocationsResponse, Status>>;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Reply<Self::WatchRevocationsStream> {
        handle_fleet(request, async |_, request: WatchRevocationsRequest| {
            let items = self.0.revocations.watch(request.since);
            Ok::<_, Error>(items.map(|item| Ok(convert::watch_response(item))).boxed())
        })
        .await
    }
}
