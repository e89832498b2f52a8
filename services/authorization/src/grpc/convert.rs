//! Between the proto messages and the commands.

use std::collections::HashMap;

use taskman_errors::{Violation, Violations};
use taskman_events::{Actor, Origin};
use taskman_identity::Client;
use taskman_ids::{CompanyId, RequestId, UserId};
use taskman_policy::{Action, Malformed, Resource, Subject};
use taskman_proto::authorization as proto;
use taskman_telemetry::propagation;

use crate::app::check::{Check, Checked};
use crate::app::decide::{Decide, Decided};
use crate::app::decide_batch::DecideBatch;
use crate::app::judge::{Judgement, Verdict};
use crate::domain::position::Positions;

/// The most entries of a context.
const MAX_CONTEXT: usize = 50;
/// The longest key of a context, in bytes.
const MAX_CONTEXT_KEY: usize = 100;
/// The longest value of a context, in bytes.
const MAX_CONTEXT_VALUE: usize = 1_024;
/// The most that keys and values of a context take together, in bytes.
const MAX_CONTEXT_BYTES: usize = 16 * 1_024;
/// The most resources of one decision.
const MAX_RESOURCES: usize = 100;
/// The most questions of a batch.
const MAX_QUESTIONS: usize = 1_000;

impl TryFrom<proto::CheckRequest> for Check {
    type Error = Vec<Violation>;

    fn try_from(request: proto::CheckRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let subject = found.check("subject", Subject::parse(&request.subject));
        let action = found.check("action", Action::parse(&request.action));
        let resource = found.check("resource", Resource::parse(&request.resource));
        check_context(&mut found, &request.context);
        let at_least = positions(&mut found, request.at_least_position);
        let context = request.context.into_iter().collect();
        let command =
            (|| Some(Self { subject: subject?, action: action?, resource: resource?, context, at_least: at_least? }))();
        found.finish_with(command)
    }
}

impl TryFrom<proto::DecideRequest> for Decide {
    type Error = Vec<Violation>;

    fn try_from(request: proto::DecideRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let user = found.check("user_id", UserId::parse(&request.user_id));
        let company = found.check("company_id", CompanyId::parse(&request.company_id));
        let action = found.check("action", Action::parse(&request.action));
        let resources = resources(&mut found, &request.resources);
        let at_least = positions(&mut found, request.at_least_position);
        let command = (|| {
            // Where the call came from is for the record only: what cannot be read is left out.
            let client = Client::new(
                request.client_address.parse().ok(),
                Some(request.user_agent.as_str()).filter(|text| !text.is_empty()),
                RequestId::parse(&request.request_id).unwrap_or_else(|_| RequestId::new()),
            );
            let origin = Origin {
                client_address: client.address,
                user_agent: client.user_agent,
                request_id: Some(client.request_id),
                traceparent: propagation::current_traceparent(),
                tracestate: propagation::current_tracestate(),
                ..Origin::new(company?, Actor::User(user?))
            };
            Some(Self {
                user: user?,
                company: company?,
                action: action?,
                resources: resources?,
                at_least: at_least?,
                mutating: request.mutating,
                origin,
            })
        })();
        found.finish_with(command)
    }
}

/// Refuses a context that takes more than a decision should have to carry.
fn check_context(found: &mut Violations, context: &HashMap<String, String>) {
    if context.len() > MAX_CONTEXT {
        found.add("context", format!("must have at most {MAX_CONTEXT} entries"));
    }
    if context.keys().any(|key| key.len() > MAX_CONTEXT_KEY) {
        found.add("context", format!("must not have a key of more than {MAX_CONTEXT_KEY} bytes"));
    }
    if context.values().any(|value| value.len() > MAX_CONTEXT_VALUE) {
        found.add("context", format!("must not have a value of more than {MAX_CONTEXT_VALUE} bytes"));
    }
    if context.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_CONTEXT_BYTES {
        found.add("context", format!("must have at most {MAX_CONTEXT_BYTES} bytes together"));
    }
}

/// Reads the resources of one decision.
pub(crate) fn resources(found: &mut Violations, texts: &[String]) -> Option<Vec<Resource>> {
    if !(1..=MAX_RESOURCES).contains(&texts.len()) {
        found.add("resources", format!("must be 1 to {MAX_RESOURCES}"));
        return None;
    }
    let parsed: Vec<Option<Resource>> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| found.check(&format!("resources[{number}]"), Resource::parse(text)))
        .collect();
    parsed.into_iter().collect()
}

impl TryFrom<proto::DecideBatchRequest> for DecideBatch {
    type Error = Vec<Violation>;

    fn try_from(request: proto::DecideBatchRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let user = found.check("user_id", UserId::parse(&request.user_id));
        let company = found.check("company_id", CompanyId::parse(&request.company_id));
        let at_least = positions(&mut found, request.at_least_position);
        if !(1..=MAX_QUESTIONS).contains(&request.questions.len()) {
            found.add("questions", format!("must be 1 to {MAX_QUESTIONS}"));
            return found.finish_with(None);
        }
        let mut questions = Vec::with_capacity(request.questions.len());
        for (number, question) in request.questions.iter().enumerate() {
            let mut part = |name: &str, wrong: Malformed| found.add(format!("questions[{number}].{name}"), wrong);
            let action = Action::parse(&question.action).map_err(|wrong| part("action", wrong));
            let resource = Resource::parse(&question.resource).map_err(|wrong| part("resource", wrong));
            questions.extend(action.ok().zip(resource.ok()));
        }
        let command = (|| Some(Self { user: user?, company: company?, questions, at_least: at_least? }))();
        found.finish_with(command)
    }
}

fn positions(found: &mut Violations, sent: Option<proto::AtLeastPosition>) -> Option<Positions> {
    let sent = sent.unwrap_or_default();
    if sent.iam < 0 || sent.user < 0 {
        found.add("at_least_position", "must not be negative");
        return None;
    }
    Some(Positions { iam: sent.iam, user: sent.user })
}

impl From<Checked> for proto::CheckResponse {
    fn from(checked: Checked) -> Self {
        let Checked { decision_id, judgement: Judgement { verdict, reasons, determining }, position } = checked;
        Self {
            allowed: verdict == Verdict::Allow,
            reasons: reasons.iter().map(ToString::to_string).collect(),
            decision_id: decision_id.to_string(),
            position: Some(proto::AtLeastPosition { iam: position.iam, user: position.user }),
            policy_ids: determining.iter().map(|policy| policy.id.to_string()).collect(),
        }
    }
}

impl From<Decided> for proto::DecideResponse {
    fn from(decided: Decided) -> Self {
        Self {
            outcome: proto::Outcome::from(decided.verdict).into(),
            decision_id: decided.decision_id.to_string(),
            reasons: decided.reasons.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Shows the answers to a batch, in order.
pub(super) fn batch(verdicts: Vec<Verdict>) -> proto::DecideBatchResponse {
    let outcomes = verdicts.into_iter().map(|verdict| proto::Outcome::from(verdict).into());
    proto::DecideBatchResponse { outcomes: outcomes.collect() }
}

impl From<Verdict> for proto::Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Self::Allow,
            Verdict::Deny => Self::Deny,
            Verdict::ResourceNotFound => Self::ResourceNotFound,
        }
    }
}
