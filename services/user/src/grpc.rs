//! The RPCs of the user service, in the order of the proto.

mod convert;

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesService;
use taskman_proto::authorization::{BatchGetResourceAttributesRequest, BatchGetResourceAttributesResponse};
use taskman_proto::user::user_service_server::UserService;
use taskman_proto::user::{
    ActivateUserRequest, ActivateUserResponse, CreateUserRequest, CreateUserResponse, DeactivateUserRequest,
    DeactivateUserResponse, GetAssignableRequest, GetAssignableResponse, GetCurrentUserRequest, GetCurrentUserResponse,
    GetLoginSubjectRequest, GetLoginSubjectResponse, GetSubjectRequest, GetSubjectResponse, GetUserRequest,
    GetUserResponse, ListUsersRequest, ListUsersResponse, RegisterCompanyRequest, RegisterCompanyResponse,
    WatchChangesRequest, WatchChangesResponse,
};
use taskman_rpc::{handle, handle_fleet, handle_public, status};
use tonic::{Request, Response, Status};

use crate::app::{self, App, idempotent};
use crate::error::Error;

/// Serves `taskman.user.v1.UserService`.
#[derive(Debug)]
pub(crate) struct Users(Arc<App>);

impl Users {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl UserService for Users {
    async fn register_company(
        &self,
        request: Request<RegisterCompanyRequest>,
    ) -> Result<Response<RegisterCompanyResponse>, Status> {
        handle_public(request, |client, request| async move {
            let registered = app::register_company::register_company(&self.0, &client, request.try_into()?).await?;
            Ok::<_, Error>(convert::registered(registered))
        })
        .await
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        handle(request, |caller, mut request| async move {
            let request_id = convert::take_request_id(&mut request.request_id)?;
            let key = idempotent::key(&caller, "CreateUser", request_id, &request);
            app::create_user::create_user(&self.0, &caller, request.try_into()?, key).await
        })
        .await
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        handle(request, |caller, request| async move {
            let user = app::get_user::get_user(&self.0, caller.company, convert::user_id(&request.id)?).await?;
            Ok::<_, Error>(GetUserResponse { user: Some(user.into()) })
        })
        .await
    }

    async fn get_current_user(
        &self,
        request: Request<GetCurrentUserRequest>,
    ) -> Result<Response<GetCurrentUserResponse>, Status> {
        handle(request, |caller, _| async move {
            let user = app::get_user::get_user(&self.0, caller.company, caller.user).await?;
            Ok::<_, Error>(GetCurrentUserResponse { user: Some(user.into()) })
        })
        .await
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        handle(request, |caller, request| async move {
            let page = app::list_users::list_users(&self.0, &caller, request.try_into()?).await?;
            Ok::<_, Error>(convert::listed(page))
        })
        .await
    }

    async fn activate_user(
        &self,
        request: Request<ActivateUserRequest>,
    ) -> Result<Response<ActivateUserResponse>, Status> {
        handle(request, |caller, mut request| async move {
            let request_id = convert::take_request_id(&mut request.request_id)?;
            let key = idempotent::key(&caller, "ActivateUser", request_id, &request);
            app::activate_user::activate_user(&self.0, &caller, request.try_into()?, key).await
        })
        .await
    }

    async fn deactivate_user(
        &self,
        request: Request<DeactivateUserRequest>,
    ) -> Result<Response<DeactivateUserResponse>, Status> {
        handle(request, |caller, mut request| async move {
            let request_id = convert::take_request_id(&mut request.request_id)?;
            let key = idempotent::key(&caller, "DeactivateUser", request_id, &request);
            app::deactivate_user::deactivate_user(&self.0, &caller, request.try_into()?, key).await
        })
        .await
    }

    async fn get_login_subject(
        &self,
        request: Request<GetLoginSubjectRequest>,
    ) -> Result<Response<GetLoginSubjectResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let subject = app::get_login_subject::get_login_subject(&self.0, request.try_into()?).await?;
            Ok::<_, Error>(GetLoginSubjectResponse { subject: subject.map(Into::into) })
        })
        .await
    }

    async fn get_subject(&self, request: Request<GetSubjectRequest>) -> Result<Response<GetSubjectResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let subject = app::get_subject::get_subject(&self.0, convert::user_id(&request.user_id)?).await?;
            Ok::<_, Error>(GetSubjectResponse { subject: Some(subject.into()) })
        })
        .await
    }

    async fn get_assignable(
        &self,
        request: Request<GetAssignableRequest>,
    ) -> Result<Response<GetAssignableResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let (company, user) = convert::company_and_user(&request.company_id, &request.user_id)?;
            app::get_assignable::get_assignable(&self.0, company, user).await
        })
        .await
    }

    type WatchChangesStream = Pin<Box<dyn Stream<Item = Result<WatchChangesResponse, Status>> + Send>>;

    async fn watch_changes(
        &self,
        request: Request<WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        handle_fleet(request, |_, request| async move {
            let changes = app::watch_changes::watch_changes(Arc::clone(&self.0), request.since);
            let shown = changes.map(|item| item.map(Into::into).map_err(|error| status::from_failure(&error)));
            Ok::<Self::WatchChangesStream, Error>(Box::pin(shown))
        })
        .await
    }
}

/// Serves `taskman.authorization.v1.ResourceAttributesService` for users.
#[derive(Debug)]
pub(crate) struct Attributes(Arc<App>);

impl Attributes {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl ResourceAttributesService for Attributes {
    async fn batch_get_resource_attributes(
        &self,
        request: Request<BatchGetResourceAttributesRequest>,
    ) -> Result<Response<BatchGetResourceAttributesResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let (company, users) = convert::resources(&request)?;
            let users = app::resource_attributes::users(&self.0, company, &users).await?;
            Ok::<_, Error>(convert::attributes(users))
        })
        .await
    }
}
