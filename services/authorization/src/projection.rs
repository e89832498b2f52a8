//! What decisions rest on, in memory: fed by the two streams, read by every decision.
//!
//! One lock guards roles, policies, assignments and users together, so that a decision sees them as they were at one
//! moment: an assignment of before and a policy of after could together grant what no moment granted. Readers hold it to
//! find three entries, writers to swap what was compiled before.

pub(crate) mod progress;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use taskman_ids::{CompanyId, UserId};

use crate::domain::change::{IamChange, RulesChange, UserChange, What};
use crate::domain::position::{Positions, Stream};
use crate::domain::rules::{Held, NoCompiler, Rules};
use crate::domain::subject::Subject;
use crate::projection::progress::Progress;

/// The projection.
#[derive(Debug)]
pub(crate) struct Projection {
    state: RwLock<State>,
    iam: Progress,
    user: Progress,
}

#[derive(Debug, Default)]
struct State {
    companies: HashMap<CompanyId, Company>,
    subjects: HashMap<UserId, Arc<Subject>>,
}

#[derive(Debug)]
struct Company {
    rules: Arc<Rules>,
    held: HashMap<UserId, Arc<[Held]>>,
}

/// What is known about one user of one company.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// The rules of the company; `None` while the company is not known.
    pub(crate) rules: Option<Arc<Rules>>,
    /// The roles that the user holds.
    pub(crate) held: Arc<[Held]>,
}

/// The rules of a company as a batch of changes leaves them, and who holds what.
struct Draft {
    company: CompanyId,
    rules: Arc<Rules>,
    changes: Vec<RulesChange>,
    /// Whether everybody's assignments are replaced.
    all_held: bool,
    held: Vec<(UserId, Vec<Held>)>,
}

impl Projection {
    /// Starts with nothing, which decides nothing.
    pub(crate) fn empty() -> Self {
        Self { state: RwLock::default(), iam: Progress::none(), user: Progress::none() }
    }

    /// Returns how far a stream is.
    pub(crate) const fn progress(&self, stream: Stream) -> &Progress {
        match stream {
            Stream::Iam => &self.iam,
            Stream::User => &self.user,
        }
    }

    /// Returns how far both are.
    pub(crate) fn positions(&self) -> Positions {
        Positions { iam: self.iam.position(), user: self.user.position() }
    }

    /// Finds a user.
    pub(crate) fn subject(&self, user: UserId) -> Option<Arc<Subject>> {
        self.read().subjects.get(&user).cloned()
    }

    /// Returns the rules of a company and what a user holds, both of the same moment.
    pub(crate) fn standing(&self, company: CompanyId, user: UserId) -> Standing {
        let state = self.read();
        let Some(company) = state.companies.get(&company) else {
            return Standing { rules: None, held: Arc::default() };
        };
        Standing { rules: Some(Arc::clone(&company.rules)), held: company.held.get(&user).cloned().unwrap_or_default() }
    }

    /// Applies changes of roles, policies and assignments; all of them show at once. When this fails nothing has changed.
    pub(crate) async fn apply_iam(&self, changes: Vec<IamChange>) -> Result<(), NoCompiler> {
        let mut drafts = self.drafts(changes);
        // Assignments, which must bite fast, are swapped without a detour over another thread.
        if drafts.iter().any(|draft| !draft.changes.is_empty()) {
            drafts = tokio::task::spawn_blocking(move || compile(drafts)).await.map_err(|_| NoCompiler)??;
        }
        let mut state = self.write();
        for draft in drafts {
            let company = state
                .companies
                .entry(draft.company)
                .or_insert_with(|| Company { rules: Arc::clone(&draft.rules), held: HashMap::new() });
            company.rules = draft.rules;
            if draft.all_held {
                company.held.clear();
            }
            for (user, held) in draft.held {
                if held.is_empty() {
                    company.held.remove(&user);
                } else {
                    company.held.insert(user, held.into());
                }
            }
        }
        Ok(())
    }

    /// Sorts changes by company. Only the follower of the stream writes, so what is read here is still so when it is
    /// swapped.
    fn drafts(&self, changes: Vec<IamChange>) -> Vec<Draft> {
        let mut drafts: HashMap<CompanyId, Draft> = HashMap::new();
        let state = self.read();
        for IamChange { company, what } in changes {
            let draft = drafts.entry(company).or_insert_with(|| Draft {
                company,
                rules: state
                    .companies
                    .get(&company)
                    .map_or_else(|| Arc::new(Rules::none(company)), |known| Arc::clone(&known.rules)),
                changes: Vec::new(),
                all_held: false,
                held: Vec::new(),
            });
            match what {
                What::Rules(change) => draft.changes.push(change),
                What::Held(user, held) => draft.held.push((user, held)),
                What::Company(all) => {
                    draft.changes.push(RulesChange::All(all.roles, all.policies));
                    draft.all_held = true;
                    draft.held = all.held;
                }
            }
        }
        drafts.into_values().collect()
    }

    /// Applies changes of users; all of them show at once.
    pub(crate) fn apply_users(&self, changes: Vec<UserChange>) {
        let mut state = self.write();
        state.subjects.extend(changes.into_iter().map(|subject| (subject.id, Arc::new(subject))));
    }

    /// Forgets what a stream has brought, and how far it was: nothing is decided until it has been followed anew.
    pub(crate) fn reset(&self, stream: Stream) {
        self.progress(stream).reset();
        let mut state = self.write();
        match stream {
            Stream::Iam => state.companies.clear(),
            Stream::User => state.subjects.clear(),
        }
    }

    // A panic while the lock was held cannot have left half a change: what can panic is done before.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compile(mut drafts: Vec<Draft>) -> Result<Vec<Draft>, NoCompiler> {
    for draft in drafts.iter_mut().filter(|draft| !draft.changes.is_empty()) {
        let (rules, broken) = draft.rules.changed(std::mem::take(&mut draft.changes))?;
        for broken in broken {
            let problems = broken.problems.len();
            tracing::error!(company.id = %draft.company, policy.id = %broken.policy, problems,
                "a policy does not compile; it refuses where it would refuse and grants nothing");
        }
        draft.rules = Arc::new(rules);
    }
    Ok(drafts)
}
