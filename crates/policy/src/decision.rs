//! Decides a request against a snapshot.
//!
//! A refusing policy that holds, or that fails, refuses; else a granting one that holds grants; else the answer is no. The
//! answer depends on nothing but the arguments: policies are taken in the order of their ids, whatever order they came in.
//!
//! The resource is asked about as late as possible. Conditions are evaluated without its attributes first, and only when
//! the answer depends on one is [`Outcome::NeedsResource`] returned. A subject to whom no policy could grant the request
//! learns nothing about the resource, not even whether it exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use taskman_ids::PolicyId;

use crate::attributes::ResourceAttributes;
use crate::condition::{Attributes, ConditionError, Unresolved};
use crate::policy::{Effect, Policy, Status};
use crate::request::{Action, Resource};
use crate::snapshot::{Candidate, CompanySnapshot};
use crate::subject::SubjectFacts;

/// The most reasons, and the most determining policies, that a decision names.
pub const MAX_REASONS: usize = 16;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The request is granted.
    Allow,
    /// The request is refused.
    Deny,
    /// The answer depends on these attributes of the resource: decide again with them.
    NeedsResource {
        /// The names of the attributes.
        attributes: BTreeSet<&'static str>,
    },
    /// The answer depends on a resource that does not exist.
    ResourceNotFound,
    /// The answer depends on a resource whose owner could not be asked.
    Undecided,
}

/// A policy in a certain version, and the role through which the subject holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRef {
    /// The policy.
    pub id: PolicyId,
    /// Its version.
    pub version: i32,
    /// The name of the role, or `everyone`.
    pub role: String,
}

impl PolicyRef {
    fn of(candidate: &Candidate<'_>) -> Self {
        Self { id: candidate.policy.id, version: candidate.policy.version, role: candidate.role.to_owned() }
    }
}

/// Why it was decided so; its text is a stable code with details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A policy grants it.
    Allow(PolicyRef),
    /// A policy refuses it.
    Deny(PolicyRef),
    /// No policy grants it.
    DefaultDeny,
    /// The condition of a policy failed: refuses where the policy refuses, does not grant where it grants.
    ConditionError {
        /// The policy.
        policy: PolicyRef,
        /// Where and why.
        error: ConditionError,
    },
    /// The subject is of another company.
    CompanyMismatch,
    /// The company is suspended.
    CompanyInactive,
    /// The subject is deactivated or deleted.
    SubjectInactive,
    /// There is no such resource.
    ResourceNotFound,
    /// The owner of the resource could not be asked.
    ResourceUnavailable,
}

impl Reason {
    /// Returns the code: the first word of the text.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Allow(_) => "ALLOW",
            Self::Deny(_) => "DENY",
            Self::DefaultDeny => "DEFAULT_DENY",
            Self::ConditionError { .. } => "CONDITION_ERROR",
            Self::CompanyMismatch => "COMPANY_MISMATCH",
            Self::CompanyInactive => "COMPANY_INACTIVE",
            Self::SubjectInactive => "SUBJECT_INACTIVE",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::ResourceUnavailable => "RESOURCE_UNAVAILABLE",
        }
    }

    /// Returns the policy that it is about.
    pub const fn policy(&self) -> Option<&PolicyRef> {
        match self {
            Self::Allow(policy) | Self::Deny(policy) | Self::ConditionError { policy, .. } => Some(policy),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        match self {
            Self::Allow(policy) | Self::Deny(policy) => {
                write!(f, " policy={}@{} role={}", policy.id, policy.version, policy.role)
            }
            Self::ConditionError { policy, error } => {
                write!(
                    f,
                    " policy={}@{} at={}:{} {}",
                    policy.id, policy.version, error.line, error.column, error.message
                )
            }
            _ => Ok(()),
        }
    }
}

/// An answer with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub outcome: Outcome,
    /// Why, at most [`MAX_REASONS`]; the determining ones first.
    pub reasons: Vec<Reason>,
    /// The policies that decided.
    pub determining: Vec<PolicyRef>,
}

impl Decision {
    fn bare(outcome: Outcome, reason: Reason) -> Self {
        Self { outcome, reasons: vec![reason], determining: Vec::new() }
    }

    /// Without other reasons the errors are what decided.
    fn new(outcome: Outcome, mut reasons: Vec<Reason>, errors: Vec<Reason>) -> Self {
        let deciding = if reasons.is_empty() { &errors } else { &reasons };
        let determining = deciding.iter().filter_map(Reason::policy).cloned().collect();
        reasons.extend(errors);
        reasons.truncate(MAX_REASONS);
        Self { outcome, reasons, determining }
    }

    /// Tells whether the request is granted.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}

/// Decides whether `subject` may do `action` to `resource` at `now`.
pub fn decide(
    snapshot: &CompanySnapshot,
    subject: &SubjectFacts,
    action: &Action,
    resource: &Resource,
    resource_attributes: &ResourceAttributes,
    context: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Decision {
    let attributes = Attributes { subject, action, resource, resource_attributes, context, now };
    decide_among(snapshot, &attributes, |policy| policy.status == Status::Active)
}

/// Decides as [`decide`] would if shadow policies were active: what would change is the difference between the two.
pub fn decide_with_shadow(
    snapshot: &CompanySnapshot,
    subject: &SubjectFacts,
    action: &Action,
    resource: &Resource,
    resource_attributes: &ResourceAttributes,
    context: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Decision {
    let attributes = Attributes { subject, action, resource, resource_attributes, context, now };
    decide_among(snapshot, &attributes, |_| true)
}

fn decide_among(snapshot: &CompanySnapshot, attributes: &Attributes<'_>, takes_part: fn(&Policy) -> bool) -> Decision {
    let subject = attributes.subject;
    if subject.company_id != snapshot.company_id() {
        return Decision::bare(Outcome::Deny, Reason::CompanyMismatch);
    }
    if !snapshot.is_active() {
        return Decision::bare(Outcome::Deny, Reason::CompanyInactive);
    }
    if !subject.active {
        return Decision::bare(Outcome::Deny, Reason::SubjectInactive);
    }
    let mut candidates = snapshot.candidates(subject, attributes.action, attributes.resource, attributes.now);
    candidates.retain(|candidate| takes_part(candidate.policy));
    // Those without a condition first: they may spare evaluating the others.
    candidates.sort_by_key(|candidate| candidate.policy.condition.is_some());

    let denies = Findings::of(Effect::Deny, &candidates, attributes);
    if let Some(policy) = denies.holds {
        return Decision::new(Outcome::Deny, vec![Reason::Deny(policy)], denies.errors);
    }
    if !denies.errors.is_empty() {
        return Decision::new(Outcome::Deny, Vec::new(), denies.errors);
    }
    let allows = Findings::of(Effect::Allow, &candidates, attributes);
    match allows.holds {
        Some(policy) if denies.needs.is_none() => {
            return Decision::new(Outcome::Allow, vec![Reason::Allow(policy)], allows.errors);
        }
        None if allows.needs.is_none() => {
            return Decision::new(Outcome::Deny, vec![Reason::DefaultDeny], allows.errors);
        }
        _ => {}
    }
    match attributes.resource_attributes {
        ResourceAttributes::Absent => Decision::bare(Outcome::ResourceNotFound, Reason::ResourceNotFound),
        ResourceAttributes::Failed => Decision::bare(Outcome::Undecided, Reason::ResourceUnavailable),
        ResourceAttributes::NotFetched | ResourceAttributes::Known(_) => {
            let attributes = denies.needs.into_iter().chain(allows.needs).flatten().collect();
            Decision { outcome: Outcome::NeedsResource { attributes }, reasons: Vec::new(), determining: Vec::new() }
        }
    }
}

/// What the candidates of one effect came to.
#[derive(Default)]
struct Findings {
    /// The first policy that holds; none after it is evaluated.
    holds: Option<PolicyRef>,
    /// The conditions that failed on the way.
    errors: Vec<Reason>,
    /// The attributes on which other policies depend.
    needs: Option<BTreeSet<&'static str>>,
}

impl Findings {
    fn of(effect: Effect, candidates: &[Candidate<'_>], attributes: &Attributes<'_>) -> Self {
        let mut findings = Self::default();
        for candidate in candidates.iter().filter(|candidate| candidate.policy.effect == effect) {
            let Some(condition) = &candidate.policy.condition else {
                findings.holds = Some(PolicyRef::of(candidate));
                return findings;
            };
            match condition.evaluate(attributes) {
                Ok(true) => {
                    findings.holds = Some(PolicyRef::of(candidate));
                    return findings;
                }
                Ok(false) => {}
                Err(Unresolved::NeedsResource) => {
                    findings.needs.get_or_insert_default().extend(condition.reads());
                }
                Err(Unresolved::Failed(error)) => {
                    if findings.errors.len() < MAX_REASONS {
                        findings.errors.push(Reason::ConditionError { policy: PolicyRef::of(candidate), error });
                    }
                }
            }
        }
        findings
    }
}
