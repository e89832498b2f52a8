//! Builds policies, subjects and snapshots for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use taskman_ids::{CompanyId, PolicyId, RoleId, UserId};
use taskman_policy::{
    Action, CompanySnapshot, Decision, Effect, HeldRole, Policy, PolicySource, Resource, ResourceAttributes,
    SnapshotSource, Status, SubjectFacts, Value, decide,
};

/// Numbers ids, so that tests can say which is which.
pub(crate) fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

pub(crate) fn role(number: u128) -> RoleId {
    RoleId::from_uuid(uuid(number))
}

pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap()
}

pub(crate) fn company() -> CompanyId {
    CompanyId::from_uuid(uuid(1))
}

/// A policy that grants everything, to be narrowed.
pub(crate) fn policy(number: u128) -> PolicySource {
    PolicySource {
        id: PolicyId::from_uuid(uuid(number)),
        name: format!("policy {number}"),
        effect: Effect::Allow,
        actions: vec!["*".to_owned()],
        resources: vec!["*".to_owned()],
        condition: None,
        status: Status::Active,
        version: 1,
    }
}

/// A subject of the engineering department with these roles.
pub(crate) fn subject(roles: &[(u128, &str)]) -> SubjectFacts {
    let held =
        |(number, name): &(u128, &str)| HeldRole { role_id: role(*number), name: (*name).to_owned(), expires_at: None };
    SubjectFacts {
        id: UserId::from_uuid(uuid(7)),
        company_id: company(),
        email: "ada@example.com".to_owned(),
        department: Some("engineering".to_owned()),
        location: None,
        active: true,
        roles: roles.iter().map(held).collect(),
    }
}

pub(crate) fn known(attributes: &[(&str, Value)]) -> ResourceAttributes {
    ResourceAttributes::Known(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// A snapshot in which every policy is attached to the roles named beside it; number 0 is everyone.
pub(crate) fn snapshot(policies: Vec<(PolicySource, &[u128])>) -> CompanySnapshot {
    let mut role_policies: HashMap<RoleId, Vec<PolicyId>> = HashMap::new();
    let mut everyone = Vec::new();
    for (policy, roles) in &policies {
        for number in *roles {
            match number {
                0 => everyone.push(policy.id),
                _ => role_policies.entry(role(*number)).or_default().push(policy.id),
            }
        }
    }
    let sources = policies.into_iter().map(|(policy, _)| policy).collect();
    let compiled = Policy::compile_all(sources).unwrap();
    let problems: Vec<_> = compiled.iter().flat_map(|(_, problems)| problems).collect();
    assert!(problems.is_empty(), "{problems:?}");
    CompanySnapshot::build(SnapshotSource {
        company_id: company(),
        active: true,
        policies: compiled.into_iter().map(|(policy, _)| Arc::new(policy)).collect(),
        role_policies,
        everyone,
    })
}

/// Asks whether `subject` may do `tasks:edit` to `tasks/1`.
pub(crate) fn may_edit(snapshot: &CompanySnapshot, subject: &SubjectFacts, resource: &ResourceAttributes) -> Decision {
    let (action, target) = (Action::parse("tasks:edit").unwrap(), Resource::parse("tasks/1").unwrap());
    decide(snapshot, subject, &action, &target, resource, &BTreeMap::new(), now())
}
