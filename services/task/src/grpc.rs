//! The gRPC methods, in the order of the proto files: each hands its request to one use case.

mod convert;

use std::sync::Arc;

use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesService;
use taskman_proto::authorization::{BatchGetResourceAttributesRequest, BatchGetResourceAttributesResponse};
use taskman_proto::task::task_service_server::TaskService;
use taskman_proto::task::{
    AssignTaskRequest, AssignTaskResponse, CompleteTaskRequest, CompleteTaskResponse, CreateProjectRequest,
    CreateProjectResponse, CreateTaskRequest, CreateTaskResponse, GetProjectRequest, GetProjectResponse,
    GetTaskRequest, GetTaskResponse, ListProjectsRequest, ListProjectsResponse, ListTasksRequest, ListTasksResponse,
    StartTaskRequest, StartTaskResponse,
};
use taskman_rpc as rpc;
use tonic::{Request, Response, Status};

use crate::app::{self, App};

type Reply<T> = Result<Response<T>, Status>;

/// Serves projects and tasks to people.
#[derive(Debug, Clone)]
pub(crate) struct Tasks(pub(crate) Arc<App>);

#[tonic::async_trait]
impl TaskService for Tasks {
    async fn create_project(&self, request: Request<CreateProjectRequest>) -> Reply<CreateProjectResponse> {
        rpc::handle(request, |caller, request| async move {
            app::project::create::create(&self.0, &caller, request.try_into()?).await.map(Into::into)
        })
        .await
    }

    async fn get_project(&self, request: Request<GetProjectRequest>) -> Reply<GetProjectResponse> {
        rpc::handle(request, |caller, request| async move {
            app::project::get::get(&self.0, &caller, convert::project_id(&request)?).await.map(Into::into)
        })
        .await
    }

    async fn list_projects(&self, request: Request<ListProjectsRequest>) -> Reply<ListProjectsResponse> {
        rpc::handle(request, |caller, request| async move {
            app::project::list::list(&self.0, &caller, request.try_into()?).await.map(convert::projects)
        })
        .await
    }

    async fn create_task(&self, request: Request<CreateTaskRequest>) -> Reply<CreateTaskResponse> {
        rpc::handle(request, |caller, request| async move {
            app::task::create::create(&self.0, &caller, request.try_into()?).await.map(Into::into)
        })
        .await
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Reply<GetTaskResponse> {
        rpc::handle(request, |caller, request| async move {
            app::task::get::get(&self.0, &caller, convert::task_id(&request)?).await.map(Into::into)
        })
        .await
    }

    async fn list_tasks(&self, request: Request<ListTasksRequest>) -> Reply<ListTasksResponse> {
        rpc::handle(request, |caller, request| async move {
            app::task::list::list(&self.0, &caller, request.try_into()?).await.map(convert::tasks)
        })
        .await
    }

    async fn assign_task(&self, request: Request<AssignTaskRequest>) -> Reply<AssignTaskResponse> {
        rpc::handle(request, |caller, request| async move {
            app::task::assign::assign(&self.0, &caller, request.try_into()?).await.map(Into::into)
        })
        .await
    }

    async fn start_task(&self, request: Request<StartTaskRequest>) -> Reply<StartTaskResponse> {
        rpc::handle(request, |caller, request| async move {
            app::task::start::start(&self.0, &caller, request.try_into()?).await.map(Into::into)
        })
        .await
    }

    async fn complete_task(&self, request: Request<CompleteTaskRequest>) -> Reply<CompleteTaskResponse> {
        rpc::handle(request, |caller, request| async move {
            app::task::complete::complete(&self.0, &caller, request.try_into()?).await.map(Into::into)
        })
        .await
    }
}

/// Serves the attributes of projects and tasks to the authorization service.
#[derive(Debug, Clone)]
pub(crate) struct Attributes(pub(crate) Arc<App>);

#[tonic::async_trait]
impl ResourceAttributesService for Attributes {
    async fn batch_get_resource_attributes(
        &self,
        request: Request<BatchGetResourceAttributesRequest>,
    ) -> Reply<BatchGetResourceAttributesResponse> {
        rpc::handle_fleet(request, |_, request| async move {
            app::attributes::batch_get(&self.0, request.try_into()?).await.map(convert::resource_attributes)
        })
        .await
    }
}
