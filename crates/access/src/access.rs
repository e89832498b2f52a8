//! Admits callers: token, session, decision; and vouches for them to the service that the call is for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use prost_reflect::DynamicMessage;
use taskman_clock::SharedClock;
use taskman_errors::{Failure, Kind};
use taskman_identity::{Caller, Client, Freshness, Principal, TokenError, TokenVerifier, VoucherKeys};
use taskman_proto::options::Exposure;
use taskman_resilience::deadline::{self, Deadline};
use taskman_rpc::{Method, Methods, UpstreamError, status};
use tonic::Status;
use tracing::Span;

use crate::decide::{Decide, Decision, Question};
use crate::issuer::Issuer;
use crate::resource::Template;

/// What the enforcement layer is made of.
#[derive(Debug)]
pub struct Assembly {
    /// The table of methods.
    pub methods: Methods,
    /// Verifies access tokens.
    pub verifier: TokenVerifier,
    /// The authentication service, for keys and for sessions; `None` in the authentication service itself.
    pub issuer: Option<Arc<Issuer>>,
    /// Decides.
    pub decide: Arc<dyn Decide>,
    /// The keys of this service.
    pub vouchers: VoucherKeys,
    /// The clock.
    pub clock: SharedClock,
}

/// The enforcement layer of one service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    assembly: Assembly,
    templates: HashMap<String, Template>,
}

impl Access {
    /// Reads the rules of every method; fails when the resource of one names a field that the request does not have.
    pub fn new(assembly: Assembly) -> Result<Self, String> {
        // No method is for operators yet; the first one brings the check with it.
        if let Some(method) = assembly.methods.iter().find(|method| method.rules.platform) {
            return Err(format!("{} is for operators only, and nobody checks that", method.path));
        }
        let callers = assembly.methods.iter().filter(|method| method.exposure() == Exposure::Caller);
        let templates = callers
            .map(|method| Ok((method.path.clone(), Template::parse(&method.rules.resource, &method.input())?)))
            .collect::<Result<_, String>>()?;
        Ok(Self(Arc::new(Inner { assembly, templates })))
    }

    /// Returns the table of methods.
    pub fn methods(&self) -> &Methods {
        &self.0.assembly.methods
    }

    /// Returns the keys of this service.
    pub fn vouchers(&self) -> &VoucherKeys {
        &self.0.assembly.vouchers
    }

    /// Returns the clock.
    pub fn clock(&self) -> &SharedClock {
        &self.0.assembly.clock
    }

    /// Says whether [`Self::authorize`] needs the request message of `method`.
    pub fn reads_request(&self, method: &Method) -> bool {
        self.0.templates.get(&method.path).is_some_and(Template::reads_request)
    }

    /// Finds out who makes a call from outside, from its `authorization` header; needs no request, so that none is read
    /// for strangers. Nobody who may not call the method at all passes; about all others [`Self::authorize`] decides.
    pub async fn identify(
        &self,
        method: &Method,
        authorization: Option<&str>,
        client: Client,
    ) -> Result<Principal, Status> {
        match method.exposure() {
            Exposure::Public => Ok(Principal::Anonymous { client }),
            Exposure::Self_ | Exposure::Caller => Ok(Principal::User(self.authenticate(authorization, client).await?)),
            Exposure::Fleet | Exposure::Unspecified => {
                Err(status::refuse(Kind::Forbidden, "FLEET_ONLY", "only services of the fleet may call this method"))
            }
        }
    }

    /// Asks whether an identified caller may make the call.
    ///
    /// `message` is the request; it may be left out where [`Self::reads_request`] says no.
    pub async fn authorize(
        &self,
        method: &Method,
        principal: &Principal,
        message: Option<&DynamicMessage>,
    ) -> Result<(), Status> {
        match (method.exposure(), principal) {
            (Exposure::Public, _) | (Exposure::Self_, Principal::User(_)) => Ok(()),
            (Exposure::Caller, Principal::User(caller)) => {
                let resources = self.resources(method, message)?;
                let mutating = !method.is_read_only();
                self.decide(caller, &method.rules.action, &resources, mutating).await.map_err(|e| e.status())
            }
            _ => Err(status::internal()),
        }
    }

    /// Makes sure that `caller` may do `action` on every one of `resources`: for what a request implies beyond the
    /// option of its method.
    pub async fn require(&self, caller: &Caller, action: &str, resources: &[String]) -> Result<(), AccessError> {
        self.decide(caller, action, resources, true).await
    }

    /// Vouches to the service of `method` for the caller that was admitted here.
    pub fn vouch(&self, method: &Method, audience: &str, principal: &Principal) -> Result<HeaderValue, Status> {
        let assembly = &self.0.assembly;
        let left = deadline::current().map_or(Duration::MAX, Deadline::remaining);
        let now = assembly.clock.now();
        let sealed =
            assembly.vouchers.issue(audience, &method.path, principal.clone(), now, left).map_err(|error| {
                tracing::error!(%error, peer = audience, "cannot vouch for a call");
                status::internal()
            })?;
        HeaderValue::from_str(&sealed).map_err(|_| status::internal())
    }

    async fn authenticate(&self, authorization: Option<&str>, client: Client) -> Result<Caller, Status> {
        let assembly = &self.0.assembly;
        let token = bearer(authorization).ok_or_else(|| refused(TokenError::Missing))?;
        let mut verified = assembly.verifier.verify(token, client.clone());
        if let (Err(TokenError::UnknownKey), Some(issuer)) = (&verified, &assembly.issuer) {
            issuer.refresh_keys().await.map_err(|error| status::from_failure(&error))?;
            verified = assembly.verifier.verify(token, client);
        }
        let verified = verified.map_err(refused)?;
        let span = Span::current();
        span.record("user_id", tracing::field::display(verified.caller.user));
        span.record("company_id", tracing::field::display(verified.caller.company));
        if verified.freshness == Freshness::Unknown {
            self.ask_for_session(&verified.caller).await?;
        }
        Ok(verified.caller)
    }

    /// The revocation list is too old to rely on: the issuer itself must say that the session is open.
    async fn ask_for_session(&self, caller: &Caller) -> Result<(), Status> {
        let Some(issuer) = &self.0.assembly.issuer else {
            return Err(status::refuse(Kind::Unavailable, "UNAVAILABLE", "sessions cannot be checked at present"));
        };
        match issuer.session_is_open(caller).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(refused(TokenError::Revoked)),
            Err(error) => Err(status::from_failure(&error)),
        }
    }

    fn resources(&self, method: &Method, message: Option<&DynamicMessage>) -> Result<Vec<String>, Status> {
        let template = self.0.templates.get(&method.path).ok_or_else(status::internal)?;
        if let Some(resource) = template.constant() {
            return Ok(vec![resource]);
        }
        let message = message.ok_or_else(status::internal)?;
        template.render(message).map_err(|field| status::from_failure(&FieldInvalid::new(field)))
    }

    async fn decide(
        &self,
        caller: &Caller,
        action: &str,
        resources: &[String],
        mutating: bool,
    ) -> Result<(), AccessError> {
        match self.0.assembly.decide.decide(Question { caller, action, resources, mutating }).await? {
            Decision::Allow => Ok(()),
            Decision::Deny { decision_id } => {
                tracing::info!(decision.id = decision_id, action, "denied");
                Err(AccessError::Denied { decision_id })
            }
            Decision::ResourceNotFound => Err(AccessError::NotFound),
        }
    }
}

fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn refused(error: TokenError) -> Status {
    status::from_failure(&error)
}

/// Why [`Access::require`] did not let a call go on.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The policies of the company do not allow it.
    #[error("you may not do this (decision {decision_id})")]
    Denied {
        /// Names the decision, for the administrator who asks why.
        decision_id: String,
    },
    /// The record does not exist in the caller's company.
    #[error("there is no such record")]
    NotFound,
    /// Nobody can decide at present.
    #[error(transparent)]
    Undecided(#[from] UpstreamError),
}

impl AccessError {
    fn status(&self) -> Status {
        status::from_failure(self)
    }
}

impl Failure for AccessError {
    fn kind(&self) -> Kind {
        match self {
            Self::Denied { .. } => Kind::Forbidden,
            Self::NotFound => Kind::NotFound,
            Self::Undecided(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::Undecided(error) => error.reason(),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Denied { decision_id } => vec![("decision_id", decision_id.clone())],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Undecided(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// A field that the resource of the call is made from is missing or is no id.
#[derive(Debug, thiserror::Error)]
#[error("the request is not valid")]
struct FieldInvalid([taskman_errors::Violation; 1]);

impl FieldInvalid {
    fn new(field: String) -> Self {
        Self([taskman_errors::Violation { field, description: "must be an id".to_owned() }])
    }
}

impl Failure for FieldInvalid {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
    fn reason(&self) -> &'static str {
        "FIELD_INVALID"
    }
    fn violations(&self) -> &[taskman_errors::Violation] {
        &self.0
    }
}
