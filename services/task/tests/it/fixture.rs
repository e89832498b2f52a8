//! A started task service with a lead, colleagues, and a user service that knows them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use taskman_identity::Caller;
use taskman_ids::CompanyId;
use taskman_proto::task::task_service_client::TaskServiceClient;
use taskman_proto::task::{
    AssignTaskRequest, CompleteTaskRequest, CreateProjectRequest, CreateTaskRequest, GetTaskRequest, Project,
    StartTaskRequest, Task,
};
use taskman_proto::user as proto;
use taskman_proto::user::user_service_server::{UserService, UserServiceServer};
use taskman_task::{Config, TaskService};
use taskman_testkit::fakes::Authorization;
use taskman_testkit::{Calls, TestService, caller, caller_of, service};
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

/// A client of the task service.
pub(crate) type Client = TaskServiceClient<Calls>;

/// A task service at work.
pub(crate) struct World {
    /// The service.
    pub(crate) service: TestService,
    /// The user service that it asks.
    pub(crate) users: Users,
    /// The authorization service that it asks.
    pub(crate) authorization: Authorization,
    /// Somebody of the company that most tests are about.
    pub(crate) lead: Caller,
}

impl World {
    /// Starts the service.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the service with another configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let (users, authorization, lead) = (Users::default(), Authorization::allowing(), caller());
        let service = service::<TaskService>()
            .configure(|config| {
                // The machine of a test may be slow; what is tested here is not how fast it is.
                config.database.acquire_timeout_ms = 20_000;
                config.database.lock_timeout_ms = 20_000;
                config.database.statement_timeout_ms = 20_000;
                config.service.assignable_timeout_ms = 20_000;
                change(&mut config.service);
            })
            .upstream("user", UserServiceServer::new(users.clone()))
            .await
            .authorization(&authorization)
            .start()
            .await;
        users.add(&lead, true);
        Self { service, users, authorization, lead }
    }

    /// Returns a client for the lead.
    pub(crate) fn lead(&self) -> Client {
        self.of(&self.lead)
    }

    /// Returns a client for `caller`.
    pub(crate) fn of(&self, caller: &Caller) -> Client {
        TaskServiceClient::new(self.service.caller(caller))
    }

    /// Returns another active user of the lead's company.
    pub(crate) fn colleague(&self) -> Caller {
        let colleague = caller_of(self.lead.company);
        self.users.add(&colleague, true);
        colleague
    }

    /// Returns an active user of another company.
    pub(crate) fn stranger(&self) -> Caller {
        let stranger = caller_of(CompanyId::new());
        self.users.add(&stranger, true);
        stranger
    }

    /// Creates a project.
    pub(crate) async fn project(&self, name: &str) -> Project {
        let request = CreateProjectRequest { name: name.to_owned(), ..CreateProjectRequest::default() };
        self.lead().create_project(request).await.unwrap().into_inner().project.unwrap()
    }

    /// Creates a task as the lead.
    pub(crate) async fn create(&self, request: CreateTaskRequest) -> Result<Task, Status> {
        Ok(self.lead().create_task(request).await?.into_inner().task.unwrap())
    }

    /// Creates a task in a project of its own.
    pub(crate) async fn task(&self) -> Task {
        let project = self.project("Core").await;
        self.create(new_task(&project)).await.unwrap()
    }

    /// Creates a task of `assignee` in a project of its own.
    pub(crate) async fn task_of(&self, assignee: &Caller) -> Task {
        let project = self.project("Core").await;
        self.create(CreateTaskRequest { assignee_id: assignee.user.to_string(), ..new_task(&project) }).await.unwrap()
    }

    /// Creates a task of `assignee` that has begun.
    pub(crate) async fn running_task_of(&self, assignee: &Caller) -> Task {
        let task = self.task_of(assignee).await;
        self.start_task(assignee, &task).await.unwrap()
    }

    /// Assigns a task as the lead.
    pub(crate) async fn assign(&self, task: &Task, assignee: &Caller, version: i32) -> Result<Task, Status> {
        let request = AssignTaskRequest {
            id: task.id.clone(),
            assignee_id: assignee.user.to_string(),
            version,
            request_id: String::new(),
        };
        Ok(self.lead().assign_task(request).await?.into_inner().task.unwrap())
    }

    /// Starts a task as `by`.
    pub(crate) async fn start_task(&self, by: &Caller, task: &Task) -> Result<Task, Status> {
        let request = StartTaskRequest { id: task.id.clone(), ..StartTaskRequest::default() };
        Ok(self.of(by).start_task(request).await?.into_inner().task.unwrap())
    }

    /// Completes a task as `by`.
    pub(crate) async fn complete(&self, by: &Caller, task: &Task, hours: Option<f64>) -> Result<Task, Status> {
        let request =
            CompleteTaskRequest { id: task.id.clone(), actual_hours: hours, ..CompleteTaskRequest::default() };
        Ok(self.of(by).complete_task(request).await?.into_inner().task.unwrap())
    }

    /// Returns a task as `by` sees it.
    pub(crate) async fn get(&self, by: &Caller, id: &str) -> Result<Task, Status> {
        let request = GetTaskRequest { id: id.to_owned() };
        Ok(self.of(by).get_task(request).await?.into_inner().task.unwrap())
    }

    /// Puts a project into a state that no RPC leads to yet.
    pub(crate) async fn set_project_status(&self, id: &str, status: &str) {
        sqlx::query("UPDATE projects SET status = $1 WHERE company_id = $2 AND id = $3::uuid")
            .bind(status)
            .bind(self.lead.company)
            .bind(id)
            .execute(self.service.pool())
            .await
            .unwrap();
    }

    /// Puts a task into a state that no RPC leads to yet.
    pub(crate) async fn set_task_status(&self, id: &str, status: &str) {
        sqlx::query("UPDATE tasks SET status = $1 WHERE company_id = $2 AND id = $3::uuid")
            .bind(status)
            .bind(self.lead.company)
            .bind(id)
            .execute(self.service.pool())
            .await
            .unwrap();
    }

    /// Returns the names of all events so far.
    pub(crate) async fn event_names(&self) -> Vec<String> {
        self.service.events().await.iter().map(|event| event.routing_key().to_owned()).collect()
    }

    /// Stops the service, and makes sure that it ends in order.
    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

/// Returns the request for a task that nobody works on.
pub(crate) fn new_task(project: &Project) -> CreateTaskRequest {
    CreateTaskRequest {
        project_id: project.id.clone(),
        title: "Write the report".to_owned(),
        ..CreateTaskRequest::default()
    }
}

/// Returns what a program makes of a refusal: code and reason.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.expect_err("a refusal");
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

/// Returns the code and the reason of a refusal that was expected.
pub(crate) fn refused(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

/// Returns one of the facts that a refusal carries.
pub(crate) fn fact(status: &Status, name: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.get(name).cloned()
}

/// Returns the fields that a refusal says are wrong.
pub(crate) fn wrong_fields<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Vec<String> {
    let status = outcome.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let found = status.get_details_bad_request().expect("violations");
    found.field_violations.into_iter().map(|violation| violation.field).collect()
}

/// Company and user, and whether the user is active.
type Known = HashMap<(String, String), bool>;

#[derive(Debug, Clone, Copy, Default)]
enum Mood {
    #[default]
    Answers,
    Fails(Code),
    Hangs,
}

/// A user service that knows who it was told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users(Arc<Mutex<(Known, Mood)>>);

impl Users {
    /// Knows `user` from now on.
    pub(crate) fn add(&self, user: &Caller, active: bool) {
        let key = (user.company.to_string(), user.user.to_string());
        self.0.lock().unwrap().0.insert(key, active);
    }

    /// Fails from now on.
    pub(crate) fn fail(&self, code: Code) {
        self.0.lock().unwrap().1 = Mood::Fails(code);
    }

    /// Answers nothing from now on.
    pub(crate) fn hang(&self) {
        self.0.lock().unwrap().1 = Mood::Hangs;
    }
}

type Reply<T> = Result<Response<T>, Status>;

fn unused<T>() -> Reply<T> {
    Err(Status::unimplemented("the task service asks for nothing else"))
}

#[tonic::async_trait]
impl UserService for Users {
    type WatchChangesStream = BoxStream<proto::WatchChangesResponse>;

    async fn get_assignable(
        &self,
        request: Request<proto::GetAssignableRequest>,
    ) -> Reply<proto::GetAssignableResponse> {
        let asked = request.into_inner();
        let (known, mood) = {
            let state = self.0.lock().unwrap();
            (state.0.get(&(asked.company_id, asked.user_id)).copied(), state.1)
        };
        match mood {
            Mood::Answers => {
                let active = known.unwrap_or_default();
                Ok(Response::new(proto::GetAssignableResponse { exists: known.is_some(), active }))
            }
            Mood::Fails(code) => Err(Status::new(code, "as the test wants it")),
            Mood::Hangs => std::future::pending().await,
        }
    }

    async fn register_company(
        &self,
        _: Request<proto::RegisterCompanyRequest>,
    ) -> Reply<proto::RegisterCompanyResponse> {
        unused()
    }

    async fn create_user(&self, _: Request<proto::CreateUserRequest>) -> Reply<proto::CreateUserResponse> {
        unused()
    }

    async fn get_user(&self, _: Request<proto::GetUserRequest>) -> Reply<proto::GetUserResponse> {
        unused()
    }

    async fn get_current_user(&self, _: Request<proto::GetCurrentUserRequest>) -> Reply<proto::GetCurrentUserResponse> {
        unused()
    }

    async fn list_users(&self, _: Request<proto::ListUsersRequest>) -> Reply<proto::ListUsersResponse> {
        unused()
    }

    async fn activate_user(&self, _: Request<proto::ActivateUserRequest>) -> Reply<proto::ActivateUserResponse> {
        unused()
    }

    async fn deactivate_user(&self, _: Request<proto::DeactivateUserRequest>) -> Reply<proto::DeactivateUserResponse> {
        unused()
    }

    async fn get_login_subject(
        &self,
        _: Request<proto::GetLoginSubjectRequest>,
    ) -> Reply<proto::GetLoginSubjectResponse> {
        unused()
    }

    async fn get_subject(&self, _: Request<proto::GetSubjectRequest>) -> Reply<proto::GetSubjectResponse> {
        unused()
    }

    async fn watch_changes(&self, _: Request<proto::WatchChangesRequest>) -> Reply<Self::WatchChangesStream> {
        unused()
    }
}
