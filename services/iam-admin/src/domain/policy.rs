//! A policy as it is kept, and the rule that nobody gives away what they do not hold.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskman_events::iam::PolicyCreated;
use taskman_ids::{CompanyId, PolicyId};
use taskman_policy::{ActionPattern, Effect, ResourcePattern, Status};

/// A policy of a company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Its id.
    pub(crate) id: PolicyId,
    /// Its name.
    pub(crate) name: String,
    /// Allow or deny.
    #[serde(with = "EffectName")]
    pub(crate) effect: Effect,
    /// 1 to 50 patterns of actions.
    pub(crate) actions: Vec<String>,
    /// 1 to 50 patterns of resources.
    pub(crate) resources: Vec<String>,
    /// The CEL expression that must hold as well.
    pub(crate) condition: Option<String>,
    /// Whether it counts.
    #[serde(with = "StatusName")]
    pub(crate) status: Status,
    /// When it was made.
    pub(crate) created_at: DateTime<Utc>,
    /// From 1, one more with each change.
    pub(crate) version: i32,
}

/// How an effect is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Effect", rename_all = "snake_case")]
enum EffectName {
    Allow,
    Deny,
}

/// How a status is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Status", rename_all = "snake_case")]
enum StatusName {
    Draft,
    Shadow,
    Active,
    Disabled,
}

impl Policy {
    /// Derives the id of a policy that comes with the company, so that provisioning can be repeated.
    pub(crate) fn system_id(company: CompanyId, name: &str) -> PolicyId {
        PolicyId::derived(company.as_uuid(), &format!("policy:{name}"))
    }

    /// Tells that the policy was made.
    pub(crate) fn created(&self) -> PolicyCreated {
        PolicyCreated {
            policy_id: self.id,
            name: self.name.clone(),
            effect: self.effect.to_string(),
            status: self.status.to_string(),
            version: self.version,
        }
    }
}

/// Says whether one who holds `own` may give away `granted`: each action × resource that is granted has to be included in
/// one pattern of an unconditional active allow of the grantor. Conditions and states of what is granted are ignored, since
/// they can change without anybody being asked again; what denies grants nothing.
pub(crate) fn may_grant(own: &[Policy], granted: &[Policy]) -> bool {
    let own: Vec<_> = own.iter().filter(|policy| lets_its_holder_grant(policy)).map(Patterns::of).collect();
    granted.iter().filter(|policy| policy.effect == Effect::Allow).all(|policy| {
        let granted = Patterns::of(policy);
        // What cannot be read cannot be compared.
        granted.is_complete(policy)
            && granted.pairs().all(|(action, resource)| own.iter().any(|own| own.include(action, resource)))
    })
}

fn lets_its_holder_grant(policy: &Policy) -> bool {
    policy.effect == Effect::Allow && policy.status == Status::Active && policy.condition.is_none()
}

struct Patterns {
    actions: Vec<ActionPattern>,
    resources: Vec<ResourcePattern>,
}

impl Patterns {
    /// Reads what can be read; the rest matches nothing.
    fn of(policy: &Policy) -> Self {
        Self {
            actions: policy.actions.iter().filter_map(|text| ActionPattern::parse(text).ok()).collect(),
            resources: policy.resources.iter().filter_map(|text| ResourcePattern::parse(text).ok()).collect(),
        }
    }

    fn is_complete(&self, policy: &Policy) -> bool {
        self.actions.len() == policy.actions.len() && self.resources.len() == policy.resources.len()
    }

    fn pairs(&self) -> impl Iterator<Item = (&ActionPattern, &ResourcePattern)> {
        self.actions.iter().flat_map(|action| self.resources.iter().map(move |resource| (action, resource)))
    }

    fn include(&self, action: &ActionPattern, resource: &ResourcePattern) -> bool {
        self.actions.iter().any(|own| own.includes(action)) && self.resources.iter().any(|own| own.includes(resource))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(actions: &[&str], resources: &[&str]) -> Policy {
        Policy {
            id: PolicyId::new(),
            name: "p".to_owned(),
            effect: Effect::Allow,
            actions: actions.iter().map(|&text| text.to_owned()).collect(),
            resources: resources.iter().map(|&text| text.to_owned()).collect(),
            condition: None,
            status: Status::Active,
            created_at: DateTime::UNIX_EPOCH,
            version: 1,
        }
    }

    #[test]
    fn each_pair_must_be_included_in_one_policy_of_the_grantor() {
        let own = [policy(&["tasks:*"], &["tasks/**"]), policy(&["projects:view"], &["projects/**"])];
        assert!(may_grant(&own, &[policy(&["tasks:view", "tasks:edit"], &["tasks", "tasks/*"])]));
        assert!(may_grant(&own, &own));
        // The grantor holds both actions and both resources, but not this action on that resource.
        assert!(!may_grant(&own, &[policy(&["tasks:view", "projects:view"], &["tasks/*", "projects/*"])]));
        assert!(!may_grant(&own, &[policy(&["*"], &["*"])]));
        assert!(!may_grant(&[], &own));
        assert!(may_grant(&[], &[]));
    }

    #[test]
    fn only_an_unconditional_active_allow_counts_for_the_grantor() {
        let granted = [policy(&["tasks:view"], &["tasks/*"])];
        let everything = policy(&["*"], &["*"]);
        assert!(may_grant(std::slice::from_ref(&everything), &granted));
        for weaker in [
            Policy { effect: Effect::Deny, ..everything.clone() },
            Policy { condition: Some("true".to_owned()), ..everything.clone() },
            Policy { status: Status::Draft, ..everything.clone() },
            Policy { status: Status::Shadow, ..everything.clone() },
            Policy { status: Status::Disabled, ..everything },
        ] {
            assert!(!may_grant(std::slice::from_ref(&weaker), &granted), "{weaker:?}");
        }
    }

    #[test]
    fn neither_condition_nor_state_of_what_is_granted_makes_it_less() {
        let granted = policy(&["users:create"], &["users"]);
        for milder in [
            Policy { condition: Some("false".to_owned()), ..granted.clone() },
            Policy { status: Status::Disabled, ..granted.clone() },
        ] {
            assert!(!may_grant(&[], &[milder]));
        }
        assert!(may_grant(&[], &[Policy { effect: Effect::Deny, ..granted }]));
    }

    #[test]
    fn what_cannot_be_read_is_not_granted() {
        let everything = [policy(&["*"], &["*"])];
        assert!(!may_grant(&everything, &[policy(&["Tasks:VIEW"], &["tasks"])]));
        assert!(!may_grant(&everything, &[policy(&["tasks:view"], &["tasks/${subject.gone}"])]));
    }

    #[test]
    fn a_policy_is_read_back_as_it_was_written() {
        let policy = Policy { effect: Effect::Deny, status: Status::Shadow, ..policy(&["*"], &["*"]) };
        let json = serde_json::to_value(&policy).unwrap();
        assert_eq!((&json["effect"], &json["status"]), (&"deny".into(), &"shadow".into()));
        assert_eq!(serde_json::from_value::<Policy>(json).unwrap(), policy);
    }
}
