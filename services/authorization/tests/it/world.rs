//! A company with roles and people, and the service that decides about them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use taskman_authorization::AuthorizationService;
use taskman_authorization::config::Config;
use taskman_clock::Clock as _;
use taskman_ids::{CompanyId, PolicyId, RequestId, RoleId, UserId};
use taskman_proto::authentication::authentication_service_server::AuthenticationServiceServer;
use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
use taskman_proto::authorization::resource_attributes_service_server::ResourceAttributesServiceServer;
use taskman_proto::authorization::{AtLeastPosition, DecideRequest, DecideResponse, Outcome};
use taskman_proto::iam::iam_admin_service_server::IamAdminServiceServer;
use taskman_proto::iam::{self, change::What};
use taskman_proto::user::user_service_server::UserServiceServer;
use taskman_proto::user::{self, CompanyStatus};
use taskman_testkit::{Calls, TestService, wait_until};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::fakes::{Iam, Sessions, Tasks, Users};
use crate::feed::Feed;

/// The secret of tokens that come without a gateway.
pub(crate) const TOKEN_SECRET: &str = "a secret of the tests, more than 32 bytes";

/// One company in a fleet of stand-ins.
pub(crate) struct World {
    pub(crate) company: CompanyId,
    pub(crate) iam: Iam,
    pub(crate) users: Users,
    pub(crate) tasks: Tasks,
    pub(crate) service: TestService,
}

impl World {
    /// Starts with the default configuration, but more patient; see [`World::start_with`].
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the service and waits until it follows both streams. The company has no roles yet.
    pub(crate) async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let (iam, tasks) = (Iam(Feed::new()), Tasks::default());
        let users = Users { feed: Feed::new(), known: Arc::default(), asked: Arc::default(), away: Arc::default() };
        let company = CompanyId::new();
        iam.0.push(change(company, What::Company(iam::CompanyState::default())));
        let service = taskman_testkit::service::<AuthorizationService>()
            .configure(|config| {
                config.identity.hs256_secret = Some(TOKEN_SECRET.into());
                // The machine of a test may be slow; what is tested here is not how fast it is.
                config.service.wait_for_position_ms = 10_000;
                config.service.ask_ms = 10_000;
                configure(&mut config.service);
            })
            .upstream("authentication", AuthenticationServiceServer::new(Sessions))
            .await
            .upstream("iam-admin", IamAdminServiceServer::new(iam.clone()))
            .await
            .upstream("user", UserServiceServer::new(users.clone()))
            .await
            .upstream("task", ResourceAttributesServiceServer::new(tasks.clone()))
            .await
            .start()
            .await;
        let world = Self { company, iam, users, tasks, service };
        let ready = || async { world.decide(UserId::new(), "tasks:view", "tasks").await.is_ok() };
        wait_until("both streams to be followed", ready).await;
        world.users.asked.store(0, Ordering::SeqCst);
        world
    }

    /// The client that another service has.
    pub(crate) fn client(&self) -> AuthorizationServiceClient<Calls> {
        AuthorizationServiceClient::new(self.service.fleet("task"))
    }

    /// What another service asks of `user` to be allowed to.
    pub(crate) fn question(&self, user: UserId, action: &str, resources: &[&str]) -> DecideRequest {
        DecideRequest {
            user_id: user.to_string(),
            company_id: self.company.to_string(),
            action: action.to_owned(),
            resources: resources.iter().map(|resource| (*resource).to_owned()).collect(),
            at_least_position: None,
            mutating: !action.ends_with("view"),
            client_address: "203.0.113.7".to_owned(),
            user_agent: "testkit".to_owned(),
            request_id: RequestId::new().to_string(),
        }
    }

    pub(crate) async fn ask(&self, request: DecideRequest) -> Result<DecideResponse, Status> {
        Ok(self.client().decide(request).await?.into_inner())
    }

    pub(crate) async fn decide(&self, user: UserId, action: &str, resource: &str) -> Result<Outcome, Status> {
        Ok(self.ask(self.question(user, action, &[resource])).await?.outcome())
    }

    /// Decides on facts that have everything that was pushed so far.
    pub(crate) async fn decide_now(&self, user: UserId, action: &str, resource: &str) -> Outcome {
        let mut request = self.question(user, action, &[resource]);
        request.at_least_position = Some(self.head());
        self.ask(request).await.unwrap().outcome()
    }

    /// Where the two streams are.
    pub(crate) fn head(&self) -> AtLeastPosition {
        AtLeastPosition { iam: self.iam.0.head(), user: self.users.feed.head() }
    }

    /// Adds a role with policies.
    pub(crate) fn role(&self, name: &str, policies: &[iam::PolicyState]) -> RoleId {
        let id = RoleId::new();
        for policy in policies {
            self.iam.0.push(change(self.company, What::Policy(policy.clone())));
        }
        let policy_ids = policies.iter().map(|policy| policy.id.clone()).collect();
        let role = iam::RoleState { id: id.to_string(), name: name.to_owned(), policy_ids };
        self.iam.0.push(change(self.company, What::Role(role)));
        id
    }

    /// Adds an active user who holds these roles.
    pub(crate) fn user(&self, roles: &[RoleId]) -> UserId {
        let (user, company) = (UserId::new(), self.company);
        self.users.known.lock().unwrap().insert(user.to_string(), subject(company, user));
        self.users.feed.push(subject_change(subject(company, user)));
        self.hold(user, roles);
        user
    }

    /// Changes what a user holds.
    pub(crate) fn hold(&self, user: UserId, roles: &[RoleId]) -> i64 {
        self.iam.0.push(change(self.company, What::SubjectRoles(held(user, roles))))
    }

    /// Gives a task attributes.
    pub(crate) fn task(&self, id: &str, attributes: &[(&str, &str)]) {
        let attributes: HashMap<String, String> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.tasks.known.lock().unwrap().insert(id.to_owned(), attributes);
    }
}

pub(crate) fn held(user: UserId, roles: &[RoleId]) -> iam::SubjectRoles {
    let roles = roles.iter().map(|role| iam::HeldRole { role_id: role.to_string(), expires_at: None });
    iam::SubjectRoles { user_id: user.to_string(), roles: roles.collect() }
}

/// A change of a company, numbered when it is pushed.
pub(crate) fn change(company: CompanyId, what: What) -> iam::Change {
    iam::Change { position: 0, company_id: company.to_string(), changed_at: Some(now()), what: Some(what) }
}

/// A change of a user, numbered when it is pushed.
pub(crate) fn subject_change(subject: user::Subject) -> user::SubjectChange {
    user::SubjectChange { position: 0, subject: Some(subject), changed_at: Some(now()) }
}

fn now() -> prost_types::Timestamp {
    timestamp(taskman_clock::SystemClock.now())
}

pub(crate) fn timestamp(time: chrono::DateTime<chrono::Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() }
}

/// An active user of an active company.
pub(crate) fn subject(company: CompanyId, user: UserId) -> user::Subject {
    user::Subject {
        user_id: user.to_string(),
        company_id: company.to_string(),
        email: format!("{user}@example.com"),
        department: "engineering".to_owned(),
        location: String::new(),
        active: true,
        company_status: CompanyStatus::Active.into(),
        version: 1,
    }
}

/// A policy that allows.
pub(crate) fn allow(actions: &[&str], resources: &[&str]) -> iam::PolicyState {
    iam::PolicyState {
        id: PolicyId::new().to_string(),
        name: "a policy".to_owned(),
        effect: iam::Effect::Allow.into(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: resources.iter().map(|resource| (*resource).to_owned()).collect(),
        condition: String::new(),
        status: iam::PolicyStatus::Active.into(),
        version: 1,
    }
}

/// A policy that allows under a condition.
pub(crate) fn allow_where(actions: &[&str], resources: &[&str], condition: &str) -> iam::PolicyState {
    iam::PolicyState { condition: condition.to_owned(), ..allow(actions, resources) }
}

/// Makes sure that an answer is UNAVAILABLE for a reason, and says when to ask again.
pub(crate) fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, Status>, reason: &str) {
    let status = answer.expect_err("the answer must be refused");
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
    assert_eq!(status.get_details_error_info().unwrap().reason, reason);
    let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(retry > Duration::ZERO && retry <= Duration::from_secs(1), "{retry:?}");
}
