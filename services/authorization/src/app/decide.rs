//! Decides whether a call goes through, and notes it when it does not.

use std::collections::BTreeMap;

use taskman_events::Origin;
use taskman_ids::{CompanyId, DecisionId, UserId};
use taskman_policy::{Action, Reason, Resource};

use crate::app::App;
use crate::app::judge::{Verdict, judge};
use crate::app::standpoint;
use crate::domain::denial::Denial;
use crate::domain::position::Positions;
use crate::error::Error;
use crate::metrics;

/// May the caller do this to all of these?
#[derive(Debug)]
pub(crate) struct Decide {
    /// The caller.
    pub(crate) user: UserId,
    /// The caller's company, from the verified token.
    pub(crate) company: CompanyId,
    /// What is to be done.
    pub(crate) action: Action,
    /// To what; at least one.
    pub(crate) resources: Vec<Resource>,
    /// What the decision must have seen.
    pub(crate) at_least: Positions,
    /// Whether anything would change.
    pub(crate) mutating: bool,
    /// Who calls and from where, for the record of a denial.
    pub(crate) origin: Origin,
}

/// The answer for all resources together.
#[derive(Debug)]
pub(crate) struct Decided {
    /// Names the decision; a denial is recorded under it.
    pub(crate) decision_id: DecisionId,
    /// The answer.
    pub(crate) verdict: Verdict,
    /// Why.
    pub(crate) reasons: Vec<Reason>,
}

/// Allows when every resource is allowed; else answers with the first that is not.
pub(crate) async fn decide(app: &App, decide: Decide) -> Result<Decided, Error> {
    let Decide { user, company, action, resources, at_least, mutating, origin } = decide;
    standpoint::fresh_enough(app, at_least, app.config.bounds().of(&action, mutating)).await?;
    let standpoint = standpoint::of(app, company, user, BTreeMap::new()).await?;
    let asked: Vec<_> = resources.into_iter().map(|resource| (action.clone(), resource)).collect();
    let judgements = judge(app, &standpoint, &asked).await?;
    let refused = asked.iter().zip(&judgements).find(|(_, judgement)| judgement.verdict != Verdict::Allow);
    metrics::checked(refused.is_none());
    let Some(((_, resource), judgement)) = refused else {
        let reasons = judgements.into_iter().next().map(|judgement| judgement.reasons).unwrap_or_default();
        return Ok(Decided { decision_id: DecisionId::new(), verdict: Verdict::Allow, reasons });
    };
    let decision_id = match judgement.verdict {
        Verdict::Deny => {
            let denial = Denial {
                origin,
                user,
                action: action.to_string(),
                resource: resource.to_string(),
                reasons: judgement.codes(),
            };
            app.denials().note(denial, app.clock.now())
        }
        Verdict::Allow | Verdict::ResourceNotFound => DecisionId::new(),
    };
    Ok(Decided { decision_id, verdict: judgement.verdict, reasons: judgement.reasons.clone() })
}
