//! The compiled rules of one company.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use taskman_ids::{CompanyId, PolicyId, RoleId};
use taskman_policy::snapshot::EVERYONE;
use taskman_policy::{CompanySnapshot, HeldRole, Policy, PolicyProblem, PolicySource, SnapshotSource};

use crate::domain::change::RulesChange;

/// A role with the policies attached to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role.
    pub id: RoleId,
    /// Its name; `everyone` is the pseudo-role that nobody needs to hold.
    pub name: String,
    /// The policies attached to it.
    pub policies: Vec<PolicyId>,
}

/// A role that a user holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The role.
    pub role: RoleId,
    /// When the assignment ends by itself, if it does.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The roles and policies of a company at one moment; never changes.
#[derive(Debug)]
pub struct Rules {
    company: CompanyId,
    roles: HashMap<RoleId, Role>,
    policies: HashMap<PolicyId, Arc<Policy>>,
    snapshot: CompanySnapshot,
}

/// A policy that does not compile (any more): it fails closed, and somebody has to know.
#[derive(Debug)]
pub struct Broken {
    /// The policy.
    pub policy: PolicyId,
    /// What is wrong with it.
    pub problems: Vec<PolicyProblem>,
}

/// The compiler could not be started: nothing is known about the new policies.
#[derive(Debug, thiserror::Error)]
#[error("policies cannot be compiled at present")]
pub struct NoCompiler;

impl Rules {
    /// Starts with nothing, which allows nothing.
    pub fn none(company: CompanyId) -> Self {
        Self::build(company, HashMap::new(), HashMap::new())
    }

    /// Applies changes in order. Only policies that changed are compiled; heavy when there are many.
    pub fn changed(&self, changes: Vec<RulesChange>) -> Result<(Self, Vec<Broken>), NoCompiler> {
        let (mut roles, mut policies) = (self.roles.clone(), self.policies.clone());
        // What a later change overwrites need not be compiled.
        let mut written: HashMap<PolicyId, PolicySource> = HashMap::new();
        for change in changes {
            match change {
                RulesChange::Role(role) => {
                    roles.insert(role.id, role);
                }
                RulesChange::RoleDeleted(id) => {
                    roles.remove(&id);
                }
                RulesChange::Policy(policy) => {
                    written.insert(policy.id, *policy);
                }
                RulesChange::PolicyDeleted(id) => {
                    policies.remove(&id);
                    written.remove(&id);
                }
                RulesChange::All(all_roles, all_policies) => {
                    policies.clear();
                    roles = all_roles.into_iter().map(|role| (role.id, role)).collect();
                    written = all_policies.into_iter().map(|policy| (policy.id, policy)).collect();
                }
            }
        }
        let mut broken = Vec::new();
        if !written.is_empty() {
            for (policy, problems) in Policy::compile_all(written.into_values().collect()).ok_or(NoCompiler)? {
                if !problems.is_empty() {
                    broken.push(Broken { policy: policy.id, problems });
                }
                policies.insert(policy.id, Arc::new(policy));
            }
        }
        Ok((Self::build(self.company, roles, policies), broken))
    }

    fn build(company: CompanyId, roles: HashMap<RoleId, Role>, policies: HashMap<PolicyId, Arc<Policy>>) -> Self {
        let is_everyone = |role: &&Role| role.name == EVERYONE;
        let snapshot = CompanySnapshot::build(SnapshotSource {
            company_id: company,
            // Whether the company is suspended comes with the subject, from the other stream.
            active: true,
            policies: policies.values().cloned().collect(),
            role_policies: roles
                .values()
                .filter(|role| !is_everyone(role))
                .map(|role| (role.id, role.policies.clone()))
                .collect(),
            everyone: roles.values().filter(is_everyone).flat_map(|role| role.policies.clone()).collect(),
        });
        Self { company, roles, policies, snapshot }
    }

    /// Returns the policies as the policy crate decides with them.
    pub const fn snapshot(&self) -> &CompanySnapshot {
        &self.snapshot
    }

    /// Names the roles that a user holds; one that does not exist any more is not held.
    pub fn named(&self, held: &[Held]) -> Vec<HeldRole> {
        let named = held.iter().filter_map(|held| {
            let role = self.roles.get(&held.role)?;
            Some(HeldRole { role_id: role.id, name: role.name.clone(), expires_at: held.expires_at })
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use taskman_policy::{Effect, Status};

    use super::*;

    fn policy(actions: &str) -> PolicySource {
        PolicySource {
            id: PolicyId::new(),
            name: "a policy".to_owned(),
            effect: Effect::Allow,
            actions: vec![actions.to_owned()],
            resources: vec!["*".to_owned()],
            condition: None,
            status: Status::Active,
            version: 1,
        }
    }

    fn role(policies: &[&PolicySource]) -> Role {
        Role { id: RoleId::new(), name: "r".to_owned(), policies: policies.iter().map(|policy| policy.id).collect() }
    }

    #[test]
    fn a_change_recompiles_only_the_policy_that_changed() {
        let (one, two) = (policy("tasks:view"), policy("tasks:edit"));
        let all = RulesChange::All(vec![role(&[&one, &two])], vec![one.clone(), two.clone()]);
        let (before, _) = Rules::none(CompanyId::new()).changed(vec![all]).unwrap();
        let newer = PolicySource { version: 2, ..one.clone() };
        let (after, _) = before.changed(vec![RulesChange::Policy(Box::new(newer))]).unwrap();
        assert!(Arc::ptr_eq(&before.policies[&two.id], &after.policies[&two.id]));
        assert_eq!(after.policies[&one.id].version, 2);
        assert_eq!(before.policies[&one.id].version, 1, "what is decided with does not change underneath");
    }

    #[test]
    fn the_last_of_several_changes_stands() {
        let (kept, gone) = (policy("tasks:view"), policy("tasks:edit"));
        let changes = vec![
            RulesChange::Policy(Box::new(gone.clone())),
            RulesChange::Policy(Box::new(kept.clone())),
            RulesChange::PolicyDeleted(gone.id),
            RulesChange::Policy(Box::new(PolicySource { version: 7, ..kept.clone() })),
        ];
        let (rules, _) = Rules::none(CompanyId::new()).changed(changes).unwrap();
        assert_eq!(rules.policies.keys().collect::<Vec<_>>(), [&kept.id]);
        assert_eq!(rules.policies[&kept.id].version, 7);
    }

    #[test]
    fn a_policy_that_does_not_compile_is_reported_and_grants_nothing() {
        let wrong = PolicySource { condition: Some("subject.nothing == 1".to_owned()), ..policy("*") };
        let (rules, broken) =
            Rules::none(CompanyId::new()).changed(vec![RulesChange::Policy(Box::new(wrong.clone()))]).unwrap();
        assert_eq!(broken.len(), 1);
        assert_eq!(broken[0].policy, wrong.id);
        assert!(rules.snapshot().policy(wrong.id).is_some());
    }

    #[test]
    fn a_role_that_is_gone_is_not_held() {
        let kept = role(&[]);
        let held = [Held { role: kept.id, expires_at: None }, Held { role: RoleId::new(), expires_at: None }];
        let (rules, _) = Rules::none(CompanyId::new()).changed(vec![RulesChange::Role(kept.clone())]).unwrap();
        assert_eq!(rules.named(&held).iter().map(|role| role.role_id).collect::<Vec<_>>(), [kept.id]);
        let (rules, _) = rules.changed(vec![RulesChange::RoleDeleted(kept.id)]).unwrap();
        assert!(rules.named(&held).is_empty());
    }
}
