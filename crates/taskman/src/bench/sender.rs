//! The requests that are measured, each by the way that it goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use taskman_proto::authorization::CheckRequest;
use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
use taskman_proto::task::task_service_client::TaskServiceClient;
use taskman_proto::task::{CreateTaskRequest, GetTaskRequest};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::scene::Scene;

const CONNECT: Duration = Duration::from_secs(5);

/// Where requests go.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// The bare echo.
    pub echo: SocketAddr,
    /// The authorization service.
    pub authorization: SocketAddr,
    /// The task service.
    pub task: SocketAddr,
    /// The gateway.
    pub gateway: SocketAddr,
}

/// Somebody who is logged in, and what they ask about.
#[derive(Debug)]
pub struct Asker {
    scene: Scene,
    bearer: MetadataValue<Ascii>,
}

impl Asker {
    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    /// Returns what is asked in a turn: whether the administrator may see that turn's task.
    fn question(&self, turn: usize) -> CheckRequest {
        CheckRequest {
            subject: format!("user:{}", self.scene.user_id),
            action: "tasks:view".to_owned(),
            resource: format!("tasks/{}", self.task_id(turn)),
            ..CheckRequest::default()
        }
    }

    /// Returns the task of a turn: all have theirs, again and again.
    fn task_id(&self, turn: usize) -> &str {
        &self.scene.task_ids[turn % self.scene.task_ids.len()]
    }
}

/// Sends one sort of request.
#[derive(Debug, Clone)]
pub enum Sender {
    /// A health check of the bare echo.
    Echo(HealthClient<Channel>),
    /// `AuthorizationService.Check` by gRPC.
    Check(AuthorizationServiceClient<Channel>, Arc<Asker>),
    /// `AuthorizationService.Check` by HTTP/JSON.
    CheckJson(reqwest::Client, Arc<Asker>),
    /// `TaskService.GetTask` by gRPC.
    GetTask(TaskServiceClient<Channel>, Arc<Asker>),
    /// `TaskService.GetTask` by HTTP/JSON.
    GetTaskJson(reqwest::Client, Arc<Asker>),
    /// `TaskService.CreateTask` by gRPC.
    CreateTask(TaskServiceClient<Channel>, Arc<Asker>),
    /// `TaskService.CreateTask` by HTTP/JSON.
    CreateTaskJson(reqwest::Client, Arc<Asker>),
}

/// Returns the sender of the bare echo, and the senders to compare with it by name.
pub fn senders(places: &Places, scene: &Scene) -> anyhow::Result<(Sender, Vec<(&'static str, Sender)>)> {
    ensure!(!scene.task_ids.is_empty(), "there is no task to read");
    let bearer = format!("Bearer {}", scene.token).parse().context("the token cannot be sent")?;
    let asker = Arc::new(Asker { scene: scene.clone(), bearer });
    let decisions = |address| Ok::<_, anyhow::Error>(AuthorizationServiceClient::new(channel(address)?));
    let tasks = |address| Ok::<_, anyhow::Error>(TaskServiceClient::new(channel(address)?));
    let asks = || Arc::clone(&asker);
    let echo = Sender::Echo(HealthClient::new(channel(places.echo)?));
    let compared = vec![
        ("Check, direct", Sender::Check(decisions(places.authorization)?, asks())),
        ("Check, gateway, gRPC", Sender::Check(decisions(places.gateway)?, asks())),
        ("Check, gateway, JSON", Sender::CheckJson(http()?, asks())),
        ("GetTask, direct", Sender::GetTask(tasks(places.task)?, asks())),
        ("GetTask, gateway, gRPC", Sender::GetTask(tasks(places.gateway)?, asks())),
        ("GetTask, gateway, JSON", Sender::GetTaskJson(http()?, asks())),
        ("CreateTask, direct", Sender::CreateTask(tasks(places.task)?, asks())),
        ("CreateTask, gateway, gRPC", Sender::CreateTask(tasks(places.gateway)?, asks())),
        ("CreateTask, gateway, JSON", Sender::CreateTaskJson(http()?, asks())),
    ];
    Ok((echo, compared))
}

/// Returns one connection, made when it is first used; requests share it.
fn channel(address: SocketAddr) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(endpoint.connect_timeout(CONNECT).tcp_nodelay(true).connect_lazy())
}

/// Returns an HTTP/1.1 client: one connection for each request that is under way.
fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().connect_timeout(CONNECT).tcp_nodelay(true).build()?)
}

impl Sender {
    /// Sends a request and reads its answer.
    pub async fn send(&mut self, turn: usize) -> anyhow::Result<()> {
        match self {
            Self::Echo(client) => {
                client.check(HealthCheckRequest::default()).await?;
            }
            Self::Check(client, asker) => {
                let answer = client.check(asker.request(asker.question(turn))).await?.into_inner();
                ensure!(answer.allowed, "it was denied");
            }
            Self::CheckJson(client, asker) => {
                let CheckRequest { subject, action, resource, .. } = asker.question(turn);
                let question = serde_json::json!({"subject": subject, "action": action, "resource": resource});
                let url = asker.scene.url("/api/v1/authz/check");
                let answer = answered(client.post(url).json(&question), asker).await?;
                let answer: serde_json::Value = serde_json::from_slice(&answer)?;
                ensure!(answer["allowed"] == true, "it was denied");
            }
            Self::GetTask(client, asker) => {
                let get = GetTaskRequest { id: asker.task_id(turn).to_owned() };
                let answer = client.get_task(asker.request(get)).await?.into_inner();
                ensure!(answer.task.is_some(), "the answer holds no task");
            }
            Self::CreateTask(client, asker) => {
                let create = CreateTaskRequest {
                    project_id: asker.scene.project_id.clone(),
                    title: format!("Request {turn}"),
                    ..CreateTaskRequest::default()
                };
                client.create_task(asker.request(create)).await?;
            }
            Self::GetTaskJson(client, asker) => {
                let url = asker.scene.url(&format!("/api/v1/tasks/{}", asker.task_id(turn)));
                answered(client.get(url), asker).await?;
            }
            Self::CreateTaskJson(client, asker) => {
                let task = serde_json::json!({
                    "project_id": asker.scene.project_id, "title": format!("Request {turn}")
                });
                answered(client.post(asker.scene.url("/api/v1/tasks")).json(&task), asker).await?;
            }
        }
        Ok(())
    }
}

/// Sends a request and returns the body of its answer, which has to be a success.
async fn answered(request: reqwest::RequestBuilder, asker: &Asker) -> anyhow::Result<Vec<u8>> {
    let answer = request.bearer_auth(&asker.scene.token).send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    Ok(body.into())
}
