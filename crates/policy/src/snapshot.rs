//! Every policy of one company at one moment, compiled and indexed.

mod index;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use taskman_ids::{CompanyId, PolicyId, RoleId};

use self::index::PolicyIndex;
use crate::pattern::Substitution;
use crate::policy::{Policy, Status};
use crate::request::{Action, Resource};
use crate::subject::SubjectFacts;

/// The name under which reasons show policies that apply to everyone.
pub const EVERYONE: &str = "everyone";

/// What a snapshot is built from.
#[derive(Debug, Clone)]
pub struct SnapshotSource {
    /// The company.
    pub company_id: CompanyId,
    /// False while the company is suspended: then everything is refused.
    pub active: bool,
    /// The company's policies, each once.
    pub policies: Vec<Arc<Policy>>,
    /// Which policies are attached to which role; an id without a policy is one that was deleted, and is passed over.
    pub role_policies: HashMap<RoleId, Vec<PolicyId>>,
    /// The policies attached to the pseudo-role that everyone holds.
    pub everyone: Vec<PolicyId>,
}

/// Every policy of one company at one moment; never changes.
#[derive(Debug)]
pub struct CompanySnapshot {
    company_id: CompanyId,
    active: bool,
    policies: HashMap<PolicyId, Arc<Policy>>,
    roles: HashMap<RoleId, PolicyIndex>,
    everyone: PolicyIndex,
    has_shadow: bool,
    approximate_bytes: usize,
}

/// A policy whose patterns match, and the role through which the subject holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) role: &'a str,
}

impl CompanySnapshot {
    /// Indexes the policies of a company. Drafts and disabled policies take no part and are left out.
    pub fn build(source: SnapshotSource) -> Self {
        let live =
            source.policies.into_iter().filter(|policy| matches!(policy.status, Status::Active | Status::Shadow));
        let policies: HashMap<PolicyId, Arc<Policy>> = live.map(|policy| (policy.id, policy)).collect();
        let index = |ids: Vec<PolicyId>| PolicyIndex::build(ids.iter().filter_map(|id| policies.get(id)).cloned());
        let roles: HashMap<RoleId, PolicyIndex> =
            source.role_policies.into_iter().map(|(role, ids)| (role, index(ids))).collect();
        let everyone = index(source.everyone);
        let indexed: usize = roles.values().chain([&everyone]).map(PolicyIndex::approximate_bytes).sum();
        let compiled: usize = policies.values().map(|policy| policy.approximate_bytes()).sum();
        Self {
            company_id: source.company_id,
            active: source.active,
            has_shadow: policies.values().any(|policy| policy.status == Status::Shadow),
            approximate_bytes: indexed + compiled,
            policies,
            roles,
            everyone,
        }
    }

    /// Returns the company.
    pub const fn company_id(&self) -> CompanyId {
        self.company_id
    }

    /// Tells whether the company is active, not suspended.
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// Finds an active or shadow policy.
    pub fn policy(&self, id: PolicyId) -> Option<&Arc<Policy>> {
        self.policies.get(&id)
    }

    /// Tells whether deciding a second time, with shadow policies, can make a difference.
    pub const fn has_shadow_policies(&self) -> bool {
        self.has_shadow
    }

    /// Estimates the memory that the snapshot takes, for the bound on snapshots kept.
    pub const fn approximate_bytes(&self) -> usize {
        self.approximate_bytes
    }

    /// Returns the policies that a subject holds at `now`, by id, each once; conditions and patterns are not looked at.
    pub fn held_policies(&self, subject: &SubjectFacts, now: DateTime<Utc>) -> Vec<&Arc<Policy>> {
        let held = subject.roles_at(now).filter_map(|role| self.roles.get(&role.role_id));
        let mut policies: Vec<_> = held.chain([&self.everyone]).flat_map(PolicyIndex::policies).collect();
        policies.sort_unstable_by_key(|policy| policy.id);
        policies.dedup_by_key(|policy| policy.id);
        policies
    }

    /// Finds the policies that a subject holds at `now` and whose patterns match, by id, each once.
    pub(crate) fn candidates<'a>(
        &'a self,
        subject: &'a SubjectFacts,
        action: &Action,
        resource: &Resource,
        now: DateTime<Utc>,
    ) -> Vec<Candidate<'a>> {
        let substitution = Substitution::new(subject.id, subject.company_id);
        let held = subject.roles_at(now).filter_map(|role| Some((role.name.as_str(), self.roles.get(&role.role_id)?)));
        let mut found = Vec::new();
        for (role, index) in held.chain([(EVERYONE, &self.everyone)]) {
            index.find(action, resource, &mut |policy| {
                if policy.matches(action, resource, &substitution) {
                    found.push(Candidate { policy, role });
                }
            });
        }
        // A policy held through several roles is shown with the first of their names, whatever order they came in.
        found.sort_unstable_by_key(|candidate| (candidate.policy.id, candidate.role));
        found.dedup_by_key(|candidate| candidate.policy.id);
        found
    }
}
