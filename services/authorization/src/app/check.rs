//! Decides for any subject of the caller's company, with reasons.

use std::collections::BTreeMap;

use taskman_identity::Caller;
use taskman_ids::DecisionId;
use taskman_policy::{Action, Resource, Subject};

use crate::app::App;
use crate::app::judge::{Judgement, Verdict, judge};
use crate::app::standpoint;
use crate::domain::position::Positions;
use crate::error::Error;
use crate::metrics;

/// May the subject do this?
#[derive(Debug)]
pub(crate) struct Check {
    /// Who it is asked about.
    pub(crate) subject: Subject,
    /// What is to be done.
    pub(crate) action: Action,
    /// To what.
    pub(crate) resource: Resource,
    /// What conditions read as `context`.
    pub(crate) context: BTreeMap<String, String>,
    /// What the decision must have seen.
    pub(crate) at_least: Positions,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Names the decision.
    pub(crate) decision_id: DecisionId,
    /// The answer and why.
    pub(crate) judgement: Judgement,
    /// What it has seen, at least.
    pub(crate) position: Positions,
}

/// Answers the question of a person about any subject of the person's company. Nothing is recorded: nobody was refused.
pub(crate) async fn check(app: &App, caller: &Caller, check: Check) -> Result<Checked, Error> {
    let bound = app.config.bounds().of_name(&check.action);
    let position = standpoint::fresh_enough(app, check.at_least, bound).await?;
    let standpoint = standpoint::of(app, caller.company, check.subject.user_id(), check.context).await?;
    let judgements = judge(app, &standpoint, &[(check.action, check.resource)]).await?;
    // One question, one answer.
    let judgement = judgements.into_iter().next().ok_or(Error::AttributesUnavailable)?;
    metrics::checked(judgement.verdict == Verdict::Allow);
    Ok(Checked { decision_id: DecisionId::new(), judgement, position })
}
