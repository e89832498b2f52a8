//! What the tests share: a gateway, a stand-in for the user service, and people with tokens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use chrono::TimeDelta;
use futures::Stream;
use http::HeaderMap;
use taskman_access::{Access, Assembly, Decide, Decision, Question};
use taskman_clock::{Clock as _, SystemClock};
use taskman_gateway::layers::rate_limit::RateLimits;
use taskman_gateway::{Config, Gateway};
use taskman_identity::{
    Algorithm, Claims, KeySet, RevocationList, SigningKey, TokenVerifier, Voucher, VoucherKeys, generate_fleet_keys,
};
use taskman_ids::{CompanyId, SessionId, UserId};
use taskman_limits::{Limiter, Quotas};
use taskman_proto::user::user_service_server::{UserService, UserServiceServer};
use taskman_proto::user::{self as pb, User};
use taskman_rpc::client::{Channel, Origin};
use taskman_rpc::{Methods, UpstreamError};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

const FLEET: [&str; 8] =
    ["authentication", "authorization", "user", "iam-admin", "task", "audit", "notification", "gateway"];
const ISSUER: &str = "https://taskman.dev";
const AUDIENCE: &str = "taskman";

/// A gateway and what surrounds it; everything ends when it is dropped.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) users: Users,
    pub(crate) policies: Policies,
    pub(crate) stop: CancellationToken,
    pub(crate) served: tokio::task::JoinHandle<()>,
    user_keys: VoucherKeys,
    key: SigningKey,
    revocations: RevocationList,
    _user_service: DropGuard,
    _gateway: DropGuard,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default(), Quotas::default()).await
    }

    #[expect(clippy::disallowed_methods, reason = "the tasks end with the guards that the world holds")]
    pub(crate) async fn with(config: Config, quotas: Quotas) -> Self {
        let files = generate_fleet_keys(&FLEET).unwrap();
        let key = SigningKey::generate(Algorithm::Es256, SystemClock.now()).unwrap();
        let (revocations, policies, users) = (RevocationList::new(), Policies::default(), Users::default());
        let access = access(&files, &key, revocations.clone(), policies.clone());

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let user_address = format!("http://{}", listener.local_addr().unwrap());
        let user_stop = CancellationToken::new();
        let user_service = tonic::transport::Server::builder()
            .add_service(UserServiceServer::new(users.clone()))
            .serve_with_incoming_shutdown(TcpIncoming::from(listener), user_stop.clone().cancelled_owned());
        tokio::spawn(user_service);

        let origin = Origin {
            service: "gateway",
            methods: access.methods().clone(),
            vouchers: access.vouchers().clone(),
            clock: SystemClock::shared(),
        };
        let channels = FLEET.iter().filter(|name| **name != "gateway").map(|name| {
            // Nobody listens on port 1: the other services are away.
            let address = if *name == "user" { user_address.as_str() } else { "http://127.0.0.1:1" };
            Channel::new(name, address, origin.clone()).unwrap()
        });
        let limits = RateLimits::new(Limiter::on(None, "gateway"), quotas);
        let gateway = Gateway::new(config, access, limits, channels.collect::<Vec<_>>()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let served = tokio::spawn(gateway.serve(listener, Router::new(), stop.clone()));
        Self {
            address,
            users,
            policies,
            served,
            user_keys: VoucherKeys::parse(&files["user"]).unwrap(),
            key,
            revocations,
            _user_service: user_stop.drop_guard(),
            _gateway: stop.clone().drop_guard(),
            stop,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns a new person and their token.
    pub(crate) fn person(&self) -> (UserId, String) {
        self.revocations.heartbeat(0, Instant::now());
        let (user, now) = (UserId::new(), SystemClock.now());
        let claims = Claims {
            issuer: ISSUER.into(),
            audience: AUDIENCE.into(),
            user,
            company: CompanyId::new(),
            session: SessionId::new(),
            email: "ada@example.com".into(),
            roles: vec![],
            iam_position: 0,
            token: taskman_ids::new_uuid(),
            issued_at: now,
            not_before: now,
            expires_at: now + TimeDelta::minutes(15),
            authenticated_at: now,
        };
        (user, self.key.sign(&claims).unwrap())
    }

    /// Returns a client with a token in every request.
    pub(crate) fn client(&self) -> reqwest::Client {
        let (_, token) = self.person();
        let headers = [(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())];
        reqwest::Client::builder().default_headers(headers.into_iter().collect()).no_proxy().build().unwrap()
    }

    /// Opens the voucher of the last call that reached the user service.
    pub(crate) fn voucher(&self, method: &str) -> Voucher {
        let seen = self.users.seen();
        let text = seen.get("x-taskman-voucher").expect("a voucher").to_str().unwrap();
        self.user_keys.open(text, method, SystemClock.now()).unwrap()
    }
}

/// Returns a client without a token.
pub(crate) fn nobody() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn access(
    files: &BTreeMap<String, String>,
    key: &SigningKey,
    revocations: RevocationList,
    policies: Policies,
) -> Access {
    let (keys, clock) = (KeySet::new(), SystemClock::shared());
    keys.replace(vec![key.verifying_key().unwrap()]);
    let verifier = TokenVerifier::new(keys, ISSUER, AUDIENCE, clock.clone(), revocations);
    let vouchers = VoucherKeys::parse(&files["gateway"]).unwrap();
    let methods = Methods::load();
    Access::new(Assembly { methods, verifier, issuer: None, decide: Arc::new(policies), vouchers, clock }).unwrap()
}

/// An action and the resources that it was asked for.
type Asked = (String, Vec<String>);

/// Decides as it is told; remembers what it was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    pub(crate) denied: Arc<Mutex<Vec<String>>>,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
}

#[tonic::async_trait]
impl Decide for Policies {
    async fn decide(&self, question: Question<'_>) -> Result<Decision, UpstreamError> {
        self.asked.lock().unwrap().push((question.action.to_owned(), question.resources.to_vec()));
        let denied = self.denied.lock().unwrap().iter().any(|action| action == question.action);
        Ok(if denied { Decision::Deny { decision_id: "decision-1".into() } } else { Decision::Allow })
    }
}

/// A user service that has every user, and fails as it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    seen: HeaderMap,
    calls: usize,
    failures: Vec<Status>,
    held: Option<CancellationToken>,
    created: Option<pb::CreateUserRequest>,
    activated: Option<pb::ActivateUserRequest>,
    padding: usize,
}

impl Users {
    /// Fails the next calls like this, one after the other.
    pub(crate) fn fail(&self, failures: impl IntoIterator<Item = Status>) {
        self.0.lock().unwrap().failures.extend(failures);
    }

    /// Answers only after what this returns was dropped.
    pub(crate) fn hold(&self) -> DropGuard {
        let held = CancellationToken::new();
        self.0.lock().unwrap().held = Some(held.clone());
        held.drop_guard()
    }

    /// Makes every answer so large.
    pub(crate) fn pad(&self, bytes: usize) {
        self.0.lock().unwrap().padding = bytes;
    }

    /// Returns the metadata of the last call.
    pub(crate) fn seen(&self) -> HeaderMap {
        self.0.lock().unwrap().seen.clone()
    }

    /// Returns how many calls came.
    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    pub(crate) fn created(&self) -> pb::CreateUserRequest {
        self.0.lock().unwrap().created.clone().expect("a user was created")
    }

    pub(crate) fn activated(&self) -> pb::ActivateUserRequest {
        self.0.lock().unwrap().activated.clone().expect("a user was activated")
    }

    async fn enter<M>(&self, request: &Request<M>) -> Result<(), Status> {
        let held = {
            let mut state = self.0.lock().unwrap();
            state.seen = request.metadata().clone().into_headers();
            state.calls += 1;
            if !state.failures.is_empty() {
                return Err(state.failures.remove(0));
            }
            state.held.clone()
        };
        if let Some(held) = held {
            held.cancelled().await;
        }
        Ok(())
    }

    fn user(&self, id: &str) -> User {
        let padding = "x".repeat(self.0.lock().unwrap().padding);
        User {
            id: id.into(),
            email: "ada@example.com".into(),
            first_name: padding,
            active: true,
            version: 3,
            ..User::default()
        }
    }
}

type Changes = Pin<Box<dyn Stream<Item = Result<pb::WatchChangesResponse, Status>> + Send>>;

#[tonic::async_trait]
impl UserService for Users {
    async fn register_company(
        &self,
        request: Request<pb::RegisterCompanyRequest>,
    ) -> Result<Response<pb::RegisterCompanyResponse>, Status> {
        self.enter(&request).await?;
        let company =
            pb::Company { id: "c1".into(), status: pb::CompanyStatus::Active.into(), ..pb::Company::default() };
        Ok(Response::new(pb::RegisterCompanyResponse { company: Some(company), user: None }))
    }

    async fn create_user(
        &self,
        request: Request<pb::CreateUserRequest>,
    ) -> Result<Response<pb::CreateUserResponse>, Status> {
        self.enter(&request).await?;
        self.0.lock().unwrap().created = Some(request.into_inner());
        let mut response = Response::new(pb::CreateUserResponse { user: Some(self.user("u1")) });
        response.metadata_mut().insert("idempotent-replayed", "true".parse().unwrap());
        response.metadata_mut().insert("x-internal", "secret".parse().unwrap());
        Ok(response)
    }

    async fn get_user(&self, request: Request<pb::GetUserRequest>) -> Result<Response<pb::GetUserResponse>, Status> {
        self.enter(&request).await?;
        let user = self.user(&request.get_ref().id);
        Ok(Response::new(pb::GetUserResponse { user: Some(user) }))
    }

    async fn get_current_user(
        &self,
        request: Request<pb::GetCurrentUserRequest>,
    ) -> Result<Response<pb::GetCurrentUserResponse>, Status> {
        self.enter(&request).await?;
        Ok(Response::new(pb::GetCurrentUserResponse { user: Some(self.user("me")) }))
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>, Status> {
        self.enter(&request).await?;
        let users = vec![self.user("u1"), self.user("u2")];
        Ok(Response::new(pb::ListUsersResponse { users, next_page_token: "next".into() }))
    }

    async fn activate_user(
        &self,
        request: Request<pb::ActivateUserRequest>,
    ) -> Result<Response<pb::ActivateUserResponse>, Status> {
        self.enter(&request).await?;
        self.0.lock().unwrap().activated = Some(request.into_inner());
        Ok(Response::new(pb::ActivateUserResponse { user: Some(self.user("u1")) }))
    }

    async fn deactivate_user(
        &self,
        _: Request<pb::DeactivateUserRequest>,
    ) -> Result<Response<pb::DeactivateUserResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_login_subject(
        &self,
        _: Request<pb::GetLoginSubjectRequest>,
    ) -> Result<Response<pb::GetLoginSubjectResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_subject(
        &self,
        request: Request<pb::GetSubjectRequest>,
    ) -> Result<Response<pb::GetSubjectResponse>, Status> {
        self.enter(&request).await?;
        Ok(Response::new(pb::GetSubjectResponse::default()))
    }

    async fn get_assignable(
        &self,
        _: Request<pb::GetAssignableRequest>,
    ) -> Result<Response<pb::GetAssignableResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchChangesStream = Changes;

    async fn watch_changes(&self, _: Request<pb::WatchChangesRequest>) -> Result<Response<Changes>, Status> {
        Err(Status::unimplemented(""))
    }
}
