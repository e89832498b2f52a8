//! Says how policies combine, and compares the decision with one that looks at every policy.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use taskman_ids::{CompanyId, PolicyId, RoleId};
use taskman_policy::condition::{Attributes, Unresolved};
use taskman_policy::{
    Action, CompanySnapshot, Decision, Effect, HeldRole, Outcome, Policy, PolicySource, Resource, ResourceAttributes,
    SnapshotSource, Status, SubjectFacts, Substitution, Value, decide, decide_with_shadow,
};

use crate::builders::{company, known, may_edit, now, policy, role, snapshot, subject, uuid};

const UNKNOWN: ResourceAttributes = ResourceAttributes::NotFetched;

fn deny(number: u128) -> PolicySource {
    PolicySource { effect: Effect::Deny, ..policy(number) }
}

fn when(source: PolicySource, condition: &str) -> PolicySource {
    PolicySource { condition: Some(condition.to_owned()), ..source }
}

fn reasons(decision: &Decision) -> Vec<String> {
    decision.reasons.iter().map(ToString::to_string).collect()
}

fn id(number: u128) -> String {
    PolicyId::from_uuid(uuid(number)).to_string()
}

#[test]
fn nothing_is_granted_by_default() {
    let decision = may_edit(&snapshot(vec![(policy(10), &[2])]), &subject(&[(1, "developer")]), &UNKNOWN);
    assert_eq!((decision.outcome.clone(), reasons(&decision)), (Outcome::Deny, vec!["DEFAULT_DENY".to_owned()]));
    assert!(decision.determining.is_empty());
}

#[test]
fn a_granting_policy_of_a_held_role_grants_and_is_named() {
    let decision = may_edit(&snapshot(vec![(policy(10), &[1])]), &subject(&[(1, "developer")]), &UNKNOWN);
    assert!(decision.is_allowed());
    assert_eq!(reasons(&decision), [format!("ALLOW policy={}@1 role=developer", id(10))]);
    assert_eq!(decision.determining.len(), 1);
}

#[test]
fn a_refusing_policy_wins_over_any_number_of_granting_ones() {
    let policies: Vec<(PolicySource, &[u128])> = vec![(policy(10), &[1]), (policy(11), &[0]), (deny(12), &[0])];
    let decision = may_edit(&snapshot(policies), &subject(&[(1, "developer")]), &UNKNOWN);
    assert_eq!(decision.outcome, Outcome::Deny);
    assert_eq!(reasons(&decision), [format!("DENY policy={}@1 role=everyone", id(12))]);
}

#[test]
fn a_refusing_policy_whose_condition_fails_refuses_and_says_where() {
    let broken = when(deny(12), "true &&\n  subject.location == 'x'");
    let policies: Vec<(PolicySource, &[u128])> = vec![(policy(10), &[1]), (broken, &[0])];
    let decision = may_edit(&snapshot(policies), &subject(&[(1, "developer")]), &UNKNOWN);
    assert_eq!(decision.outcome, Outcome::Deny);
    let expected =
        format!("CONDITION_ERROR policy={}@1 at=2:10 the subject has no such attribute `subject.location`", id(12));
    assert_eq!(reasons(&decision), [expected]);
    assert_eq!(decision.determining[0].id, PolicyId::from_uuid(uuid(12)));
}

#[test]
fn a_granting_policy_whose_condition_fails_does_not_grant_and_is_recorded() {
    let broken = when(policy(10), "subject.location == 'x'");
    let decision = may_edit(&snapshot(vec![(broken, &[1])]), &subject(&[(1, "developer")]), &UNKNOWN);
    assert_eq!(decision.outcome, Outcome::Deny);
    assert_eq!(
        decision.reasons.iter().map(taskman_policy::Reason::code).collect::<Vec<_>>(),
        ["DEFAULT_DENY", "CONDITION_ERROR"]
    );
    assert!(decision.determining.is_empty());
}

#[test]
fn another_company_an_inactive_subject_and_a_suspended_company_are_refused_before_any_policy() {
    let granting = snapshot(vec![(policy(10), &[0])]);
    let stranger = SubjectFacts { company_id: CompanyId::new(), ..subject(&[]) };
    assert_eq!(reasons(&may_edit(&granting, &stranger, &UNKNOWN)), ["COMPANY_MISMATCH"]);
    let gone = SubjectFacts { active: false, ..subject(&[]) };
    assert_eq!(reasons(&may_edit(&granting, &gone, &UNKNOWN)), ["SUBJECT_INACTIVE"]);
    let suspended = CompanySnapshot::build(SnapshotSource {
        company_id: company(),
        active: false,
        policies: vec![Arc::new(Policy::compile(policy(10)).unwrap())],
        role_policies: HashMap::new(),
        everyone: vec![PolicyId::from_uuid(uuid(10))],
    });
    assert_eq!(reasons(&may_edit(&suspended, &subject(&[]), &UNKNOWN)), ["COMPANY_INACTIVE"]);
}

#[test]
fn a_role_counts_until_the_instant_it_expires() {
    let granting = snapshot(vec![(policy(10), &[1])]);
    let mut holder = subject(&[(1, "developer")]);
    holder.roles[0].expires_at = Some(now() + TimeDelta::microseconds(1));
    assert!(may_edit(&granting, &holder, &UNKNOWN).is_allowed());
    holder.roles[0].expires_at = Some(now());
    assert!(!may_edit(&granting, &holder, &UNKNOWN).is_allowed());
}

#[test]
fn drafts_disabled_and_shadow_policies_decide_nothing() {
    for status in [Status::Draft, Status::Disabled, Status::Shadow] {
        let idle = snapshot(vec![(PolicySource { status, ..policy(10) }, &[0])]);
        assert!(!may_edit(&idle, &subject(&[]), &UNKNOWN).is_allowed(), "{status}");
        assert_eq!(idle.has_shadow_policies(), status == Status::Shadow);
    }
}

#[test]
fn a_shadow_policy_shows_what_it_would_change() {
    let shadow = PolicySource { status: Status::Shadow, ..deny(11) };
    let snapshot = snapshot(vec![(policy(10), &[0]), (shadow, &[0])]);
    let (action, target) = (Action::parse("tasks:edit").unwrap(), Resource::parse("tasks/1").unwrap());
    let shadowed = decide_with_shadow(&snapshot, &subject(&[]), &action, &target, &UNKNOWN, &BTreeMap::new(), now());
    assert_eq!(shadowed.outcome, Outcome::Deny);
    assert!(may_edit(&snapshot, &subject(&[]), &UNKNOWN).is_allowed());
}

#[test]
fn the_resource_is_asked_about_only_when_the_answer_depends_on_it() {
    let owned = || when(policy(10), "resource.owner == subject.id");
    let closed = || when(deny(11), "resource.status == 'completed'");
    let needs = |decision: Decision| match decision.outcome {
        Outcome::NeedsResource { attributes } => attributes.into_iter().collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let ada = subject(&[(1, "developer")]);
    // Granted without, whatever the resource is like.
    assert!(may_edit(&snapshot(vec![(owned(), &[1]), (policy(12), &[1])]), &ada, &UNKNOWN).is_allowed());
    // Granted, unless a refusing policy reads it.
    assert_eq!(needs(may_edit(&snapshot(vec![(policy(12), &[1]), (closed(), &[0])]), &ada, &UNKNOWN)), ["status"]);
    assert_eq!(
        needs(may_edit(&snapshot(vec![(owned(), &[1]), (closed(), &[0])]), &ada, &UNKNOWN)),
        ["owner", "status"]
    );
    // Refused without: nobody grants it anyhow.
    let hopeless = snapshot(vec![(owned(), &[2]), (closed(), &[0])]);
    for resource in [UNKNOWN, ResourceAttributes::Absent, ResourceAttributes::Failed] {
        assert_eq!(reasons(&may_edit(&hopeless, &ada, &resource)), ["DEFAULT_DENY"]);
    }
}

#[test]
fn a_resource_that_is_absent_or_cannot_be_asked_about_is_not_a_refusal() {
    let owned = snapshot(vec![(when(policy(10), "resource.owner == subject.id"), &[0])]);
    let absent = may_edit(&owned, &subject(&[]), &ResourceAttributes::Absent);
    assert_eq!(
        (absent.outcome.clone(), reasons(&absent)),
        (Outcome::ResourceNotFound, vec!["RESOURCE_NOT_FOUND".to_owned()])
    );
    let failed = may_edit(&owned, &subject(&[]), &ResourceAttributes::Failed);
    assert_eq!(
        (failed.outcome.clone(), reasons(&failed)),
        (Outcome::Undecided, vec!["RESOURCE_UNAVAILABLE".to_owned()])
    );
}

#[test]
fn the_example_of_the_owner_decides_as_it_should() {
    let condition =
        "subject.department == 'engineering' && resource.owner == subject.id || subject.roles.contains('admin')";
    let example = snapshot(vec![(when(policy(10), condition), &[0])]);
    let owned_by = |number| known(&[("owner", Value::from(uuid(number).to_string()))]);
    assert!(may_edit(&example, &subject(&[(1, "developer")]), &owned_by(7)).is_allowed());
    assert!(!may_edit(&example, &subject(&[(1, "developer")]), &owned_by(8)).is_allowed());
    assert!(may_edit(&example, &subject(&[(1, "admin")]), &owned_by(8)).is_allowed());
    assert!(may_edit(&example, &subject(&[(1, "admin")]), &UNKNOWN).is_allowed());
}

#[test]
fn a_policy_held_through_several_roles_is_named_once_with_the_first_role() {
    let shared = snapshot(vec![(policy(10), &[1, 2])]);
    for roles in [[(1, "zebra"), (2, "ape")], [(2, "ape"), (1, "zebra")]] {
        let decision = may_edit(&shared, &subject(&roles), &UNKNOWN);
        assert_eq!(reasons(&decision), [format!("ALLOW policy={}@1 role=ape", id(10))]);
    }
}

#[test]
fn held_policies_are_those_of_unexpired_roles_and_of_everyone() {
    let company = snapshot(vec![(policy(10), &[1]), (policy(11), &[2]), (policy(12), &[0, 1])]);
    let held = company.held_policies(&subject(&[(1, "developer")]), now());
    assert_eq!(held.iter().map(|policy| policy.id.as_uuid().as_u128()).collect::<Vec<_>>(), [10, 12]);
    assert!(company.approximate_bytes() > 0 && company.policy(PolicyId::from_uuid(uuid(11))).is_some());
}

// --- the naive decision

/// Looks at every policy, with the attributes of the resource known, and combines as the rules are written down.
fn naive(policies: &[(PolicySource, BTreeSet<u128>)], attributes: &Attributes<'_>) -> Outcome {
    let subject = attributes.subject;
    let held: BTreeSet<RoleId> = subject.roles_at(attributes.now).map(|role| role.role_id).collect();
    let substitution = Substitution::new(subject.id, subject.company_id);
    let (mut granted, mut refused) = (false, false);
    for (source, roles) in policies {
        let applies = roles.iter().any(|number| *number == 0 || held.contains(&role(*number)));
        let policy = Policy::compile(source.clone()).unwrap();
        if !applies
            || policy.status != Status::Active
            || !policy.matches(attributes.action, attributes.resource, &substitution)
        {
            continue;
        }
        let truth = policy.condition.as_ref().map_or(Ok(true), |condition| condition.evaluate(attributes));
        match (policy.effect, truth) {
            (Effect::Deny, Ok(true) | Err(Unresolved::Failed(_))) => refused = true,
            (Effect::Allow, Ok(true)) => granted = true,
            (_, Err(Unresolved::NeedsResource)) => panic!("the resource is known"),
            _ => {}
        }
    }
    if granted && !refused { Outcome::Allow } else { Outcome::Deny }
}

pub(crate) fn policies() -> impl Strategy<Value = Vec<(PolicySource, BTreeSet<u128>)>> {
    let conditions = vec![
        None,
        None,
        Some("true"),
        Some("false"),
        Some("resource.owner == subject.id"),
        Some("resource.status == 'todo' || 'admin' in subject.roles"),
        Some("subject.department == 'engineering' && resource.billable"),
        Some("subject.location == 'x'"),
        Some("resource.parent_id == 'x'"),
        Some("!has(resource.parent_id) && subject.location == 'x'"),
        Some("context.level == '3' && resource.status != 'todo'"),
        Some("int(context.level) > 2"),
        Some("resource.status in ['todo', 'review'] ? resource.owner != subject.id : resource.billable"),
        Some("!(resource.status == 'todo') || !resource.billable"),
        Some("resource.status.startsWith('to')"),
    ];
    let patterns = |patterns: Vec<&'static str>| {
        proptest::collection::vec(proptest::sample::select(patterns).prop_map(str::to_owned), 1..3)
    };
    let one = (
        proptest::bool::weighted(0.7),
        patterns(vec!["*", "tasks:*", "tasks:edit", "tasks:view", "tasks:**", "*:edit", "ta*:e*", "projects:*"]),
        patterns(vec![
            "*",
            "tasks",
            "tasks/*",
            "tasks/**",
            "tasks/1",
            "tasks/${subject.id}",
            "*/1",
            "projects/**",
            "t*/1/**",
        ]),
        proptest::sample::select(conditions),
        proptest::sample::select(vec![Status::Active, Status::Active, Status::Active, Status::Shadow, Status::Draft]),
        proptest::collection::btree_set(0_u128..4, 0..3),
    );
    proptest::collection::vec(one, 0..12).prop_map(|policies| {
        let numbered = policies.into_iter().zip(100..);
        let source = |((allow, actions, resources, condition, status, roles), number): (_, u128)| {
            let effect = if allow { Effect::Allow } else { Effect::Deny };
            let condition = Option::map(condition, str::to_owned);
            (PolicySource { effect, actions, resources, condition, status, ..policy(number) }, roles)
        };
        numbered.map(source).collect()
    })
}

pub(crate) fn subjects() -> impl Strategy<Value = SubjectFacts> {
    let names = [(1, "developer"), (2, "admin"), (3, "viewer")];
    proptest::collection::vec((proptest::sample::select(names.to_vec()), proptest::option::of(-1_i64..2)), 0..4)
        .prop_map(|held| {
            let roles = held.into_iter().map(|((number, name), expires)| HeldRole {
                role_id: role(number),
                name: name.to_owned(),
                expires_at: expires.map(|seconds| now() + TimeDelta::seconds(seconds)),
            });
            SubjectFacts { roles: roles.collect(), ..subject(&[]) }
        })
}

pub(crate) fn resources() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let attribute = prop_oneof![
        Just(("owner", Value::from(uuid(7).to_string()))),
        Just(("owner", Value::from("somebody else"))),
        Just(("status", Value::from("todo"))),
        Just(("status", Value::from("completed"))),
        Just(("billable", Value::from(true))),
        Just(("billable", Value::from(false))),
        Just(("parent_id", Value::from("x"))),
    ];
    proptest::collection::vec(attribute, 0..5)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(crate) fn build(policies: &[(PolicySource, BTreeSet<u128>)]) -> CompanySnapshot {
    let attached: Vec<Vec<u128>> = policies.iter().map(|(_, roles)| roles.iter().copied().collect()).collect();
    snapshot(policies.iter().zip(&attached).map(|((source, _), roles)| (source.clone(), roles.as_slice())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_decision_is_the_naive_one(
        policies in policies(),
        order in any::<prop::sample::Index>(),
        subject in subjects(),
        known in resources(),
        action in proptest::sample::select(vec!["tasks:edit", "tasks:view", "tasks", "projects:edit"]),
        resource in proptest::sample::select(vec!["tasks", "tasks/1", "tasks/1/comments", "projects/1"]),
        level in proptest::option::of(proptest::sample::select(vec!["3", "x"])),
    ) {
        let (action, resource) = (Action::parse(action).unwrap(), Resource::parse(resource).unwrap());
        let context: BTreeMap<String, String> = level.into_iter().map(|level| ("level".to_owned(), level.to_owned())).collect();
        let known = ResourceAttributes::Known(known);
        let company = build(&policies);
        let ask = |snapshot: &CompanySnapshot, attributes: &ResourceAttributes| {
            decide(snapshot, &subject, &action, &resource, attributes, &context, now())
        };

        let decision = ask(&company, &known);
        let attributes =
            Attributes { subject: &subject, action: &action, resource: &resource, resource_attributes: &known, context: &context, now: now() };
        prop_assert_eq!(&decision.outcome, &naive(&policies, &attributes));

        // The order of the policies changes nothing, not even a reason.
        let mut turned = policies.clone();
        turned.rotate_left(if policies.is_empty() { 0 } else { order.index(policies.len()) });
        turned.reverse();
        prop_assert_eq!(&ask(&build(&turned), &known), &decision);

        // Without the resource the same is decided, or nothing is.
        let early = ask(&company, &UNKNOWN).outcome;
        let depends = matches!(early, Outcome::NeedsResource { .. });
        prop_assert!(depends || early == decision.outcome, "{:?} instead of {:?}", early, decision.outcome);
        let absent = ask(&company, &ResourceAttributes::Absent).outcome;
        prop_assert_eq!(absent, if depends { Outcome::ResourceNotFound } else { decision.outcome.clone() });
        let failed = ask(&company, &ResourceAttributes::Failed).outcome;
        prop_assert_eq!(failed, if depends { Outcome::Undecided } else { decision.outcome });
    }
}
