//! Decides many questions about one subject on one snapshot; for lists.

use std::collections::BTreeMap;

use taskman_ids::{CompanyId, UserId};

use crate::app::App;
use crate::app::judge::{Asked, Verdict, judge};
use crate::app::standpoint;
use crate::domain::position::Positions;
use crate::error::Error;
use crate::metrics;

/// May the caller do each of these?
#[derive(Debug)]
pub(crate) struct DecideBatch {
    /// The caller.
    pub(crate) user: UserId,
    /// The caller's company.
    pub(crate) company: CompanyId,
    /// What is asked; at least one.
    pub(crate) questions: Vec<Asked>,
    /// What the decisions must have seen.
    pub(crate) at_least: Positions,
}

/// Answers each question, in order. The strictest of their bounds holds for all. Nothing is recorded: what is left out of
/// a list was refused to nobody.
pub(crate) async fn decide_batch(app: &App, batch: DecideBatch) -> Result<Vec<Verdict>, Error> {
    let bounds = app.config.bounds();
    let strictest = batch.questions.iter().map(|(action, _)| bounds.of(action, false)).min();
    standpoint::fresh_enough(app, batch.at_least, strictest.unwrap_or(bounds.read)).await?;
    let standpoint = standpoint::of(app, batch.company, batch.user, BTreeMap::new()).await?;
    let judgements = judge(app, &standpoint, &batch.questions).await?;
    let verdicts: Vec<Verdict> = judgements.into_iter().map(|judgement| judgement.verdict).collect();
    for verdict in &verdicts {
        metrics::checked(*verdict == Verdict::Allow);
    }
    Ok(verdicts)
}
