//! Says which filters conditions become, and compares them with the decision about each row.

use std::collections::BTreeMap;

use proptest::prelude::*;
use taskman_policy::{
    Action, CompanySnapshot, Effect, Filter, Plan, PolicySource, Resource, ResourceAttributes, SubjectFacts, Value,
    decide, plan,
};

use crate::builders::{now, policy, snapshot, subject, uuid};
use crate::decisions::{build, policies, resources, subjects};

fn tasks(company: &CompanySnapshot, subject: &SubjectFacts) -> Plan {
    let (action, collection) = (Action::parse("tasks:view").unwrap(), Resource::parse("tasks").unwrap());
    plan(company, subject, &action, &collection, &BTreeMap::new(), now())
}

fn when(condition: &str) -> Plan {
    let source = PolicySource { condition: Some(condition.to_owned()), ..policy(10) };
    tasks(&snapshot(vec![(source, &[0])]), &subject(&[(1, "developer")]))
}

fn about(resource: &str) -> Plan {
    tasks(&snapshot(vec![(PolicySource { resources: vec![resource.to_owned()], ..policy(10) }, &[0])]), &subject(&[]))
}

fn equals(column: &'static str, value: impl Into<Value>) -> Filter {
    Filter::Equals { column, value: value.into() }
}

#[test]
fn a_condition_over_columns_becomes_a_filter() {
    assert_eq!(when("resource.owner == subject.id"), Plan::Filter(equals("owner", uuid(7).to_string())));
    assert_eq!(when("'developer' in subject.roles || resource.billable"), Plan::Always);
    assert_eq!(when("'admin' in subject.roles && resource.labels.contains('x')"), Plan::Never);
    assert_eq!(when("'admin' in subject.roles || resource.billable"), Plan::Filter(equals("billable", true)));
    assert_eq!(when("resource.type == 'tasks' && has(resource.id)"), Plan::Always);
    assert_eq!(when("resource.id == '9'"), Plan::Filter(equals("id", "9")));
    assert_eq!(when("subject.location == 'x' && resource.billable"), Plan::Never);
    let in_work = Filter::In { column: "status", values: vec![Value::from("todo"), Value::from("review")] };
    assert_eq!(when("resource.status in ['todo', 'review']"), Plan::Filter(in_work.clone()));
    assert_eq!(when("['todo', 'review'].contains(resource.status)"), Plan::Filter(in_work));
}

#[test]
fn a_row_without_the_column_is_neither_equal_nor_unequal() {
    let Plan::Filter(filter) = when("resource.status != 'todo'") else { panic!("no filter") };
    let row =
        |status: Option<&str>| status.map(|status| ("status".to_owned(), Value::from(status))).into_iter().collect();
    assert!(filter.accepts("1", &row(Some("review"))));
    assert!(!filter.accepts("1", &row(Some("todo"))));
    assert!(!filter.accepts("1", &row(None)));
}

#[test]
fn what_no_filter_can_say_is_opaque() {
    for condition in [
        "resource.status.startsWith('to')",
        "resource.due_date < request.time",
        "resource.owner == resource.assignee_id",
        "resource.labels.contains('red')",
        "subject.roles.exists(r, r == resource.status)",
    ] {
        assert_eq!(when(condition), Plan::Opaque, "{condition}");
    }
    assert_eq!(about("tasks/draft-*"), Plan::Opaque);
}

#[test]
fn resource_patterns_name_rows() {
    for always in ["*", "tasks/*", "tasks/**", "*/*", "tasks/*/**", "t*/*"] {
        assert_eq!(about(always), Plan::Always, "{always}");
    }
    for never in ["tasks", "projects/*", "tasks/*/comments", "tasks/1/comments/**"] {
        assert_eq!(about(never), Plan::Never, "{never}");
    }
    assert_eq!(about("tasks/1"), Plan::Filter(equals("id", "1")));
    assert_eq!(about("tasks/${subject.id}/**"), Plan::Filter(equals("id", uuid(7).to_string())));
}

#[test]
fn a_refusing_policy_takes_rows_away() {
    let refusing = PolicySource {
        effect: Effect::Deny,
        condition: Some("resource.status == 'completed'".to_owned()),
        ..policy(11)
    };
    let company = snapshot(vec![(policy(10), &[0]), (refusing, &[0])]);
    let Plan::Filter(filter) = tasks(&company, &subject(&[])) else { panic!("no filter") };
    let row = |status: &str| BTreeMap::from([("status".to_owned(), Value::from(status))]);
    assert!(filter.accepts("1", &row("todo")) && !filter.accepts("1", &row("completed")));
    // Its condition fails where there is no status, and so it refuses.
    assert!(!filter.accepts("1", &BTreeMap::new()));
}

#[test]
fn a_filter_that_would_be_large_is_opaque() {
    let source = |number: u128| {
        let tests: Vec<String> = (0..45).map(|status| format!("resource.status == '{number}-{status}'")).collect();
        PolicySource { condition: Some(tests.join(" || ")), ..policy(number) }
    };
    let planned = |count: u128| {
        let sources = (10..10 + count).map(|number| (source(number), [0].as_slice())).collect();
        tasks(&snapshot(sources), &subject(&[]))
    };
    assert!(matches!(planned(5), Plan::Filter(_)));
    assert_eq!(planned(6), Plan::Opaque);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_row_is_in_the_plan_exactly_when_the_decision_allows_it(
        policies in policies(),
        subject in subjects(),
        rows in proptest::collection::vec(resources(), 1..6),
        id in proptest::sample::select(vec!["1", "2"]),
        level in proptest::option::of(proptest::sample::select(vec!["3", "x"])),
    ) {
        let company = build(&policies);
        let action = Action::parse("tasks:edit").unwrap();
        let (collection, item) = (Resource::parse("tasks").unwrap(), Resource::parse(&format!("tasks/{id}")).unwrap());
        let context: BTreeMap<String, String> = level.into_iter().map(|level| ("level".to_owned(), level.to_owned())).collect();
        let plan = plan(&company, &subject, &action, &collection, &context, now());
        for row in rows {
            let known = ResourceAttributes::Known(row.clone());
            let allowed = decide(&company, &subject, &action, &item, &known, &context, now()).is_allowed();
            let planned = match &plan {
                Plan::Always => true,
                Plan::Never => false,
                Plan::Filter(filter) => filter.accepts(id, &row),
                Plan::Opaque => continue,
            };
            prop_assert_eq!(planned, allowed, "{:?} for {:?}", plan, row);
        }
    }
}
