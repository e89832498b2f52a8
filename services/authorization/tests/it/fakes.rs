//! Stand-ins for the services that the authorization service asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::stream::{BoxStream, StreamExt as _};
use taskman_proto::authentication::authentication_service_server::AuthenticationService;
use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesService;
use taskman_proto::authorization::{
    BatchGetResourceAttributesRequest, BatchGetResourceAttributesResponse, ResourceAttributes,
};
use taskman_proto::iam::iam_admin_service_server::IamAdminService;
use taskman_proto::user::user_service_server::UserService;
use taskman_proto::{authentication, iam, user};
use tonic::{Request, Response, Status};

use crate::feed::{Feed, Sent};

/// Implements a generated server trait of which only a part is asked.
macro_rules! serve {
    (
        impl $service:ident for $fake:ty;
        not asked { $($name:ident($request:ty) -> $reply:ty;)* }
        $($asked:tt)*
    ) => {
        #[tonic::async_trait]
        impl $service for $fake {
            $($asked)*
            $(async fn $name(&self, _: Request<$request>) -> Result<Response<$reply>, Status> {
                Err(Status::unimplemented("the authorization service has no business here"))
            })*
        }
    };
}

/// iam-admin: its stream.
#[derive(Debug, Clone)]
pub(crate) struct Iam(pub(crate) Feed<iam::Change>);

serve! {
    impl IamAdminService for Iam;
    not asked {
        list_roles(iam::ListRolesRequest) -> iam::ListRolesResponse;
        assign_role_to_user(iam::AssignRoleRequest) -> iam::AssignRoleResponse;
        revoke_role_from_user(iam::RevokeRoleRequest) -> iam::RevokeRoleResponse;
        list_user_roles(iam::ListUserRolesRequest) -> iam::ListUserRolesResponse;
        provision_company(iam::ProvisionCompanyRequest) -> iam::ProvisionCompanyResponse;
        get_subject_roles(iam::GetSubjectRolesRequest) -> iam::GetSubjectRolesResponse;
    }

    type WatchChangesStream = BoxStream<'static, Result<iam::WatchChangesResponse, Status>>;

    async fn watch_changes(
        &self,
        request: Request<iam::WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        use iam::watch_changes_response::Item;
        let items = self.0.stream(request.get_ref().since).map(|sent| {
            let item = match sent {
                Sent::Change(position, change) => Item::Change(iam::Change { position, ..change }),
                Sent::Heartbeat(head) => Item::Heartbeat(iam::Heartbeat { head }),
            };
            Ok(iam::WatchChangesResponse { item: Some(item) })
        });
        Ok(Response::new(items.boxed()))
    }
}

/// The user service: its stream, and the users that it knows besides.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    pub(crate) feed: Feed<user::SubjectChange>,
    pub(crate) known: Arc<Mutex<HashMap<String, user::Subject>>>,
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) away: Arc<AtomicBool>,
}

serve! {
    impl UserService for Users;
    not asked {
        register_company(user::RegisterCompanyRequest) -> user::RegisterCompanyResponse;
        create_user(user::CreateUserRequest) -> user::CreateUserResponse;
        get_user(user::GetUserRequest) -> user::GetUserResponse;
        get_current_user(user::GetCurrentUserRequest) -> user::GetCurrentUserResponse;
        list_users(user::ListUsersRequest) -> user::ListUsersResponse;
        activate_user(user::ActivateUserRequest) -> user::ActivateUserResponse;
        deactivate_user(user::DeactivateUserRequest) -> user::DeactivateUserResponse;
        get_login_subject(user::GetLoginSubjectRequest) -> user::GetLoginSubjectResponse;
        get_assignable(user::GetAssignableRequest) -> user::GetAssignableResponse;
    }

    async fn get_subject(
        &self,
        request: Request<user::GetSubjectRequest>,
    ) -> Result<Response<user::GetSubjectResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::internal("on purpose"));
        }
        let subject = self.known.lock().unwrap().get(&request.get_ref().user_id).cloned();
        let subject = subject.ok_or_else(|| Status::not_found("no such user"))?;
        Ok(Response::new(user::GetSubjectResponse { subject: Some(subject) }))
    }

    type WatchChangesStream = BoxStream<'static, Result<user::WatchChangesResponse, Status>>;

    async fn watch_changes(
        &self,
        request: Request<user::WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        use user::watch_changes_response::Item;
        let items = self.feed.stream(request.get_ref().since).map(|sent| {
            let item = match sent {
                Sent::Change(position, change) => Item::Change(user::SubjectChange { position, ..change }),
                Sent::Heartbeat(head) => Item::Heartbeat(user::Heartbeat { head }),
            };
            Ok(user::WatchChangesResponse { item: Some(item) })
        });
        Ok(Response::new(items.boxed()))
    }
}

/// The task service: attributes of tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    pub(crate) known: Arc<Mutex<HashMap<String, HashMap<String, String>>>>,
    pub(crate) asked: Arc<Mutex<Vec<BatchGetResourceAttributesRequest>>>,
    pub(crate) away: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl ResourceAttributesService for Tasks {
    async fn batch_get_resource_attributes(
        &self,
        request: Request<BatchGetResourceAttributesRequest>,
    ) -> Result<Response<BatchGetResourceAttributesResponse>, Status> {
        let request = request.into_inner();
        self.asked.lock().unwrap().push(request.clone());
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::internal("on purpose"));
        }
        let known = self.known.lock().unwrap();
        let resources = request.ids.into_iter().filter_map(|id| {
            let attributes = known.get(&id)?.clone();
            Some(ResourceAttributes { id, attributes })
        });
        Ok(Response::new(BatchGetResourceAttributesResponse { resources: resources.collect() }))
    }
}

/// The authentication service: says that every session is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sessions;

type Revocations = BoxStream<'static, Result<authentication::WatchRevocationsResponse, Status>>;

serve! {
    impl AuthenticationService for Sessions;
    not asked {
        login(authentication::LoginRequest) -> authentication::LoginResponse;
        logout(authentication::LogoutRequest) -> authentication::LogoutResponse;
        refresh_token(authentication::RefreshTokenRequest) -> authentication::RefreshTokenResponse;
        verify_token(authentication::VerifyTokenRequest) -> authentication::VerifyTokenResponse;
        request_password_reset(authentication::RequestPasswordResetRequest) -> authentication::RequestPasswordResetResponse;
        reset_password(authentication::ResetPasswordRequest) -> authentication::ResetPasswordResponse;
        get_jwks(authentication::GetJwksRequest) -> authentication::GetJwksResponse;
        create_credential(authentication::CreateCredentialRequest) -> authentication::CreateCredentialResponse;
        mint_link(authentication::MintLinkRequest) -> authentication::MintLinkResponse;
        create_link_request(authentication::CreateLinkRequestRequest) -> authentication::CreateLinkRequestResponse;
        revoke_subject(authentication::RevokeSubjectRequest) -> authentication::RevokeSubjectResponse;
        watch_revocations(authentication::WatchRevocationsRequest) -> Revocations;
    }

    type WatchRevocationsStream = Revocations;

    async fn check_session(
        &self,
        _: Request<authentication::CheckSessionRequest>,
    ) -> Result<Response<authentication::CheckSessionResponse>, Status> {
        Ok(Response::new(authentication::CheckSessionResponse { open: true }))
    }
}
