//! Asks for decisions: over the network everywhere but in the authorization service, which asks itself.

use async_trait::async_trait;
use taskman_identity::Caller;
use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
use taskman_proto::authorization::{AtLeastPosition, DecideRequest, DecideResponse, Outcome};
use taskman_rpc::UpstreamError;
use taskman_rpc::client::Channel;
use tonic::Status;

/// May the caller do this action on all of these resources?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks to act.
    pub caller: &'a Caller,
    /// The permission, such as `tasks:edit`.
    pub action: &'a str,
    /// What it is needed on; all must be allowed.
    pub resources: &'a [String],
    /// Whether anything would change: decides how old the facts may be.
    pub mutating: bool,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not; the id lets an administrator find out why.
    Deny {
        /// Names the decision.
        decision_id: String,
    },
    /// A policy reads a record that does not exist.
    ResourceNotFound,
}

/// Decides. The authorization service does so in process, everybody else with [`RemoteDecide`].
#[async_trait]
pub trait Decide: Send + Sync + std::fmt::Debug {
    /// Answers the question, or says that nobody can at present; that is never an answer in itself.
    async fn decide(&self, question: Question<'_>) -> Result<Decision, UpstreamError>;
}

/// Asks the authorization service, behind its breaker.
#[derive(Debug, Clone)]
pub struct RemoteDecide(AuthorizationServiceClient<Channel>);

impl RemoteDecide {
    /// Asks through `channel`.
    pub fn new(channel: Channel) -> Self {
        Self(AuthorizationServiceClient::new(channel))
    }
}

#[async_trait]
impl Decide for RemoteDecide {
    async fn decide(&self, question: Question<'_>) -> Result<Decision, UpstreamError> {
        let response = self.0.clone().decide(request(question)).await?;
        decision(response.into_inner())
    }
}

fn request(question: Question<'_>) -> DecideRequest {
    let Question { caller, action, resources, mutating } = question;
    DecideRequest {
        user_id: caller.user.to_string(),
        company_id: caller.company.to_string(),
        action: action.to_owned(),
        resources: resources.to_vec(),
        // The token knows how far IAM was when it was made; an older snapshot would forget what its holder was given.
        at_least_position: Some(AtLeastPosition { iam: caller.iam_position, user: 0 }),
        mutating,
        client_address: caller.client.address.map(|address| address.to_string()).unwrap_or_default(),
        user_agent: caller.client.user_agent.clone().unwrap_or_default(),
        request_id: caller.client.request_id.to_string(),
    }
}

fn decision(response: DecideResponse) -> Result<Decision, UpstreamError> {
    match response.outcome() {
        Outcome::Allow => Ok(Decision::Allow),
        Outcome::Deny => Ok(Decision::Deny { decision_id: response.decision_id }),
        Outcome::ResourceNotFound => Ok(Decision::ResourceNotFound),
        Outcome::Unspecified => Err(Status::internal("a decision without outcome").into()),
    }
}
