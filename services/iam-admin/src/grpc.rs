//! The RPCs of the IAM admin service, in the order of the proto.

mod convert;

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesService;
use taskman_proto::authorization::{BatchGetResourceAttributesRequest, BatchGetResourceAttributesResponse};
use taskman_proto::iam::iam_admin_service_server::IamAdminService;
use taskman_proto::iam::{
    AssignRoleRequest, AssignRoleResponse, GetSubjectRolesRequest, GetSubjectRolesResponse, ListRolesRequest,
    ListRolesResponse, ListUserRolesRequest, ListUserRolesResponse, ProvisionCompanyRequest, ProvisionCompanyResponse,
    RevokeRoleRequest, RevokeRoleResponse, WatchChangesRequest, WatchChangesResponse,
};
use taskman_rpc::{handle, handle_fleet, status};
use tonic::{Request, Response, Status};

use crate::app::{self, App, idempotent};
use crate::error::Error;

/// Serves `taskman.iam.v1.IAMAdminService`.
#[derive(Debug)]
pub(crate) struct Iam(pub(crate) Arc<App>);

#[tonic::async_trait]
impl IamAdminService for Iam {
    async fn list_roles(&self, request: Request<ListRolesRequest>) -> Result<Response<ListRolesResponse>, Status> {
        handle(request, |caller, request| async move {
            let page = app::list_roles::list_roles(&self.0, &caller, request.try_into()?).await?;
            Ok::<_, Error>(convert::roles(page))
        })
        .await
    }

    async fn assign_role_to_user(
        &self,
        request: Request<AssignRoleRequest>,
    ) -> Result<Response<AssignRoleResponse>, Status> {
        handle(request, |caller, mut request| async move {
            let request_id = std::mem::take(&mut request.request_id);
            let (cmd, request_id) = convert::assign_role(&request, &request_id, self.0.clock.now())?;
            let key = idempotent::key(&caller, "AssignRoleToUser", request_id, &request);
            app::assign_role_to_user::assign_role_to_user(&self.0, &caller, cmd, key).await
        })
        .await
    }

    async fn revoke_role_from_user(
        &self,
        request: Request<RevokeRoleRequest>,
    ) -> Result<Response<RevokeRoleResponse>, Status> {
        handle(request, |caller, mut request| async move {
            let request_id = std::mem::take(&mut request.request_id);
            let (cmd, request_id) = convert::revoke_role(&request, &request_id)?;
            let key = idempotent::key(&caller, "RevokeRoleFromUser", request_id, &request);
            app::revoke_role_from_user::revoke_role_from_user(&self.0, &caller, cmd, key).await
        })
        .await
    }

    async fn list_user_roles(
        &self,
        request: Request<ListUserRolesRequest>,
    ) -> Result<Response<ListUserRolesResponse>, Status> {
        handle(request, |caller, request| async move {
            let user = convert::user_id(&request.user_id)?;
            let roles = app::list_user_roles::list_user_roles(&self.0, &caller, user).await?;
            Ok::<_, Error>(ListUserRolesResponse { roles: roles.into_iter().map(Into::into).collect() })
        })
        .await
    }

    async fn provision_company(
        &self,
        request: Request<ProvisionCompanyRequest>,
    ) -> Result<Response<ProvisionCompanyResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let ids = convert::company_and_user(&request.company_id, ("admin_user_id", &request.admin_user_id))?;
            let position = app::provision_company::provision_company(&self.0, ids.0, ids.1).await?;
            Ok::<_, Error>(ProvisionCompanyResponse { position })
        })
        .await
    }

    async fn get_subject_roles(
        &self,
        request: Request<GetSubjectRolesRequest>,
    ) -> Result<Response<GetSubjectRolesResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let (company, user) = convert::company_and_user(&request.company_id, ("user_id", &request.user_id))?;
            let (roles, position) = app::get_subject_roles::get_subject_roles(&self.0, company, user).await?;
            Ok::<_, Error>(GetSubjectRolesResponse { roles, position })
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

/// Serves `taskman.authorization.v1.ResourceAttributesService` for roles.
#[derive(Debug)]
pub(crate) struct Attributes(pub(crate) Arc<App>);

#[tonic::async_trait]
impl ResourceAttributesService for Attributes {
    async fn batch_get_resource_attributes(
        &self,
        request: Request<BatchGetResourceAttributesRequest>,
    ) -> Result<Response<BatchGetResourceAttributesResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let (company, roles) = convert::roles_asked_for(&request)?;
            let roles = app::resource_attributes::roles(&self.0, company, &roles).await?;
            Ok::<_, Error>(convert::attributes(roles))
        })
        .await
    }
}
