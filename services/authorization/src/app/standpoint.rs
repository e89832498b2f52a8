//! What is known of one who asks, at one moment: the ground that decisions stand on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taskman_ids::{CompanyId, UserId};
use taskman_policy::{CompanySnapshot, SubjectFacts};

use crate::app::App;
use crate::clients;
use crate::domain::position::{Positions, Stream};
use crate::domain::rules::Rules;
use crate::error::Error;

/// What decisions about one subject start from.
#[derive(Debug)]
pub(crate) enum Standpoint {
    /// The policies decide.
    Policies(Ground),
    /// The subject is not one of the company, or there is no such subject: the two are not told apart, so that nobody
    /// learns who exists elsewhere.
    CompanyMismatch,
    /// An operator has shut the company.
    CompanyInactive,
}

/// The policies of a company and a subject of it.
#[derive(Debug)]
pub(crate) struct Ground {
    rules: Arc<Rules>,
    pub(crate) facts: SubjectFacts,
    pub(crate) context: BTreeMap<String, String>,
}

impl Ground {
    /// Returns the policies.
    pub(crate) fn snapshot(&self) -> &CompanySnapshot {
        self.rules.snapshot()
    }
}

/// Makes sure that the facts reach `at_least` and are not older than `bound`; returns how far they are.
pub(crate) async fn fresh_enough(app: &App, at_least: Positions, bound: Duration) -> Result<Positions, Error> {
    let patience = Duration::from_millis(app.config.wait_for_position_ms);
    let reaches = |stream| app.projection.progress(stream).reaches(at_least.of(stream), patience);
    match tokio::join!(reaches(Stream::Iam), reaches(Stream::User)) {
        (true, true) => {}
        (false, _) => return Err(Error::Behind(Stream::Iam)),
        (_, false) => return Err(Error::Behind(Stream::User)),
    }
    for stream in Stream::ALL {
        if app.projection.progress(stream).staleness().is_none_or(|age| age > bound) {
            return Err(Error::Stale(stream));
        }
    }
    Ok(app.projection.positions())
}

/// Finds out what is known about `user` as one of `company`.
pub(crate) async fn of(
    app: &App,
    company: CompanyId,
    user: UserId,
    context: BTreeMap<String, String>,
) -> Result<Standpoint, Error> {
    let subject = match app.projection.subject(user) {
        Some(subject) => Some(subject),
        // Perhaps so new that the stream has not brought it.
        None => clients::find_subject(app, user).await?,
    };
    let Some(subject) = subject.filter(|subject| subject.company == company) else {
        return Ok(Standpoint::CompanyMismatch);
    };
    if subject.company_suspended {
        return Ok(Standpoint::CompanyInactive);
    }
    let standing = app.projection.standing(company, user);
    // A company of which nothing has come yet may be about to sign up; to refuse its people would be wrong.
    let rules = standing.rules.ok_or(Error::CompanyUnknown)?;
    let facts = subject.facts(rules.named(&standing.held));
    Ok(Standpoint::Policies(Ground { rules, facts, context }))
}
