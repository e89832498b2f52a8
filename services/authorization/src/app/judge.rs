//! Judges questions about one subject; asks for attributes of records when, and only when, the answer depends on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use taskman_ids::CompanyId;
use taskman_policy::{Action, Decision, Outcome, PolicyRef, Reason, Resource, ResourceAttributes, decide};

use crate::app::App;
use crate::app::standpoint::{Ground, Standpoint};
use crate::clients::{self, AttributesKey};
use crate::error::Error;

/// So many questions are answered before others get their turn.
const TURN: usize = 64;

/// What is asked: this action on that resource.
pub(crate) type Asked = (Action, Resource);

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny,
    /// A policy reads an attribute of a record that does not exist.
    ResourceNotFound,
}

/// An answer with its reasons.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) determining: Vec<PolicyRef>,
}

impl Judgement {
    fn denied(reason: Reason) -> Self {
        Self { verdict: Verdict::Deny, reasons: vec![reason], determining: Vec::new() }
    }

    /// Returns the codes of the reasons, each once, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = Vec::new();
        for reason in &self.reasons {
            if !codes.iter().any(|code| code == reason.code()) {
                codes.push(reason.code().to_owned());
            }
        }
        codes
    }
}

/// Answers each question, in order, all at the same moment and on the same policies.
pub(crate) async fn judge(app: &App, standpoint: &Standpoint, asked: &[Asked]) -> Result<Vec<Judgement>, Error> {
    let ground = match standpoint {
        Standpoint::Policies(ground) => ground,
        Standpoint::CompanyMismatch => return Ok(vec![Judgement::denied(Reason::CompanyMismatch); asked.len()]),
        Standpoint::CompanyInactive => return Ok(vec![Judgement::denied(Reason::CompanyInactive); asked.len()]),
    };
    let now = app.clock.now();
    let mut decisions = Vec::with_capacity(asked.len());
    for (number, question) in asked.iter().enumerate() {
        if number % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        decisions.push(decide_with(ground, question, &ResourceAttributes::NotFetched, now));
    }
    let needed = |decision: &Decision| matches!(decision.outcome, Outcome::NeedsResource { .. });
    let missing =
        asked.iter().zip(&decisions).filter(|(_, decision)| needed(decision)).map(|((_, resource), _)| resource);
    let attributes = fetch(app, ground.facts.company_id, missing).await;
    for (question, decision) in asked.iter().zip(&mut decisions).filter(|(_, decision)| needed(decision)) {
        *decision = decide_with(ground, question, attributes.of(&question.1), now);
    }
    decisions.into_iter().map(judgement).collect()
}

fn decide_with(
    ground: &Ground,
    (action, resource): &Asked,
    attributes: &ResourceAttributes,
    now: DateTime<Utc>,
) -> Decision {
    decide(ground.snapshot(), &ground.facts, action, resource, attributes, &ground.context, now)
}

fn judgement(decision: Decision) -> Result<Judgement, Error> {
    let verdict = match decision.outcome {
        Outcome::Allow => Verdict::Allow,
        Outcome::Deny => Verdict::Deny,
        Outcome::ResourceNotFound => Verdict::ResourceNotFound,
        Outcome::Undecided | Outcome::NeedsResource { .. } => return Err(Error::AttributesUnavailable),
    };
    Ok(Judgement { verdict, reasons: decision.reasons, determining: decision.determining })
}

/// The attributes that were asked for, by type and id.
struct Fetched {
    records: HashMap<(String, String), ResourceAttributes>,
    /// A collection has no attributes, and no owner needs to be asked to know it.
    none: ResourceAttributes,
}

impl Fetched {
    fn of(&self, resource: &Resource) -> &ResourceAttributes {
        let Some(id) = resource.id() else { return &self.none };
        self.records.get(&(resource.kind().to_owned(), id.to_owned())).unwrap_or(&ResourceAttributes::Failed)
    }
}

/// Asks each owner once, all owners at the same time.
async fn fetch(app: &App, company: CompanyId, resources: impl Iterator<Item = &Resource>) -> Fetched {
    let mut by_kind: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for resource in resources {
        if let Some(id) = resource.id() {
            by_kind.entry(resource.kind()).or_default().insert(id);
        }
    }
    let questions = by_kind.into_iter().map(|(kind, ids)| async move {
        let ids = ids.into_iter().map(str::to_owned).collect();
        let key = AttributesKey { company, kind: kind.to_owned(), ids };
        let fetched = clients::fetch_attributes(app, key).await;
        fetched.into_iter().map(move |(id, attributes)| ((kind.to_owned(), id), attributes))
    });
    let records = join_all(questions).await.into_iter().flatten().collect();
    Fetched { records, none: ResourceAttributes::Known(BTreeMap::new()) }
}
