//! Says what conditions mean, what is refused when they are written, and where.

use std::collections::BTreeMap;

use chrono::{TimeDelta, TimeZone, Utc};
use taskman_policy::condition::{Attributes, Condition, ConditionError, Unresolved};
use taskman_policy::{Action, HeldRole, Resource, ResourceAttributes, SubjectFacts, Value};

use crate::builders::{known, now, role, subject, uuid};

/// The owner's example, word for word.
const EXAMPLE: &str =
    "subject.department == 'engineering' && resource.owner == subject.id || subject.roles.contains('admin')";

struct Asked {
    subject: SubjectFacts,
    resource: ResourceAttributes,
    context: BTreeMap<String, String>,
}

fn asked() -> Asked {
    Asked {
        subject: subject(&[(1, "developer"), (2, "team_lead")]),
        resource: known(&[
            ("owner", Value::from(uuid(7).to_string())),
            ("status", Value::from("todo")),
            ("labels", Value::strings(["red", "blue"])),
            ("due_date", Value::from(Utc.with_ymd_and_hms(2026, 11, 30, 0, 0, 0).unwrap())),
            ("billable", Value::from(true)),
            ("assignee_id", Value::Null),
        ]),
        context: BTreeMap::from([("network".to_owned(), "office".to_owned()), ("level".to_owned(), "3".to_owned())]),
    }
}

impl Asked {
    fn evaluate(&self, source: &str) -> Result<bool, Unresolved> {
        let condition = Condition::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        condition.evaluate(&Attributes {
            subject: &self.subject,
            action: &Action::parse("tasks:edit").unwrap(),
            resource: &Resource::parse("tasks/42").unwrap(),
            resource_attributes: &self.resource,
            context: &self.context,
            now: now(),
        })
    }

    fn error(&self, source: &str) -> ConditionError {
        match self.evaluate(source) {
            Err(Unresolved::Failed(error)) => error,
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn an_engineer_who_owns_is_let_in_one_who_does_not_is_not_and_an_admin_is() {
    let owner = asked();
    assert_eq!(owner.evaluate(EXAMPLE), Ok(true));

    let stranger = Asked { resource: known(&[("owner", Value::from(uuid(8).to_string()))]), ..asked() };
    assert_eq!(stranger.evaluate(EXAMPLE), Ok(false));

    let mut admin = Asked { resource: known(&[("owner", Value::from(uuid(8).to_string()))]), ..asked() };
    admin.subject.department = None;
    admin.subject.roles.push(HeldRole { role_id: role(3), name: "admin".to_owned(), expires_at: None });
    assert_eq!(admin.evaluate(EXAMPLE), Ok(true));
}

#[test]
fn conditions_that_hold() {
    for source in [
        "true",
        "subject.email == 'ada@example.com' && subject.email.endsWith('@example.com')",
        "subject.id == '00000000-0000-0000-0000-000000000007'",
        "subject.company_id == '00000000-0000-0000-0000-000000000001'",
        "'developer' in subject.roles && !('admin' in subject.roles)",
        "subject.roles.contains('team_lead')",
        "subject.roles.exists(r, r.startsWith('team'))",
        "subject.roles.all(r, r.size() > 3) && size(subject.roles) == 2",
        "subject.roles.exists_one(r, r == 'developer')",
        "subject.roles.filter(r, r.contains('lead')) == ['team_lead']",
        "subject.roles.map(r, r.upperAscii()) == ['DEVELOPER', 'TEAM_LEAD']",
        "subject.roles.map(r, r != 'developer', r + '!') == ['team_lead!']",
        "subject.roles[0] == 'developer'",
        "has(subject.department) && !has(subject.location)",
        "resource.type == 'tasks' && resource.id == '42' && has(resource.id)",
        "resource['owner'] == subject['id']",
        "resource.status in ['todo', 'in_progress']",
        "resource.labels.exists(l, l in ['red', 'green'])",
        "resource.billable",
        "!has(resource.assignee_id) && !has(resource.parent_id) && has(resource.owner)",
        "resource.due_date - request.time < duration('240h')",
        "request.time < timestamp('2027-01-01T00:00:00Z')",
        "request.time.getHours() >= 9 && request.time.getHours() < 17 && request.time.getDayOfWeek() == 6",
        "request.time + duration('30m') == timestamp('2026-11-21T10:00:00Z')",
        "action == 'tasks:edit' && action.matches('^tasks:(edit|view)$')",
        "context.network == 'office' && context['network'] == 'office' && 'network' in context",
        "has(context.network) && !has(context.other) && size(context) == 2",
        "int(context.level) + 1 == 4",
        "context.exists(k, k == 'level')",
        "{'engineering': 'office', 'sales': 'home'}[subject.department] == context.network",
        "{'engineering': 1}.engineering == 1",
        "subject.department == 'sales' ? false : true",
        "1 + 2 * 3 - 4 / 2 == 5 && 7 % 3 == 1 && -(-1) == 1 && 1.5 * 2.0 == 3.0",
        "2 > 1.5 && 1 == 1.0 && !(1 < 1.0)",
        "[1, 2] + [3] == [1, 2, 3] && [[1], [2]] != [[1], [3]]",
        "string(3) + string(true) == '3true' && double('1.5') == 1.5",
        "'ü€'.size() == 2",
        // An error on one side is absorbed by the other.
        "subject.location == 'x' || true",
        "true || subject.location == 'x'",
        "!(subject.location == 'x' && false)",
        "['1', 'x', '2'].exists(t, int(t) == 2)",
        "!['1', 'x', '2'].all(t, int(t) == 1)",
    ] {
        assert_eq!(asked().evaluate(source), Ok(true), "{source}");
    }
}

#[test]
fn a_failed_evaluation_says_where_and_what_but_no_value() {
    let wrong = asked().error("true &&\n  subject.location == 'Berlin'");
    assert_eq!((wrong.line, wrong.column), (2, 10));
    assert_eq!(wrong.message, "the subject has no such attribute `subject.location`");
    assert_eq!(asked().error("resource.parent_id == 'x'").message, "no such attribute `resource.parent_id`");
    // Null counts as missing.
    assert_eq!(asked().error("resource.assignee_id == 'x'").message, "no such attribute `resource.assignee_id`");
    for (source, message) in [
        ("1 / (1 - 1) == 0", "division by zero"),
        ("9223372036854775807 + int(context.level) == 0", "out of range"),
        ("subject.roles[9] == 'x'", "no such element"),
        ("subject.roles[-1] == 'x'", "no such element"),
        ("context.other == 'x'", "no such key `other`"),
        ("int(context.network) == 1", "cannot be converted"),
        ("[1, 'x'][1] < 2", "`<` does not apply to string and int"),
        ("[true, 1][1]", "must be true or false, not int"),
        ("[1, true][0] && true", "must be true or false, not int"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1h') == request.time", "out of range"),
        ("timestamp(context.network) < request.time", "cannot be converted"),
        ("{'a': 1, context.network: 2, 'office': 3}['a'] == 1", "repeated"),
    ] {
        let error = asked().error(source);
        assert!(error.message.contains(message), "{source}: {error}");
        assert!(!error.message.contains("office"), "{source}: {error}");
    }
}

#[test]
fn an_attribute_of_another_type_than_promised_is_an_error() {
    let odd = Asked { resource: known(&[("owner", Value::from(7)), ("labels", Value::from("red"))]), ..asked() };
    assert!(odd.error("resource.owner != subject.id").message.contains("unexpected type"));
    assert!(odd.error("resource.labels.contains('red')").message.contains("unexpected type"));
}

#[test]
fn an_expired_role_is_not_seen() {
    let mut asked = asked();
    asked.subject.roles[0].expires_at = Some(now());
    asked.subject.roles[1].expires_at = Some(now() + TimeDelta::microseconds(1));
    assert_eq!(asked.evaluate("subject.roles == ['team_lead']"), Ok(true));
}

#[test]
fn the_context_overwrites_neither_subject_nor_resource() {
    let forged = ["subject.department", "department", "resource.owner", "owner"];
    let context = forged.map(|key| (key.to_owned(), "forged".to_owned()));
    let asked = Asked { context: BTreeMap::from(context), ..asked() };
    assert_eq!(asked.evaluate("subject.department == 'engineering' && resource.owner == subject.id"), Ok(true));
}

#[test]
fn a_condition_that_needs_the_resource_says_so_only_when_it_does() {
    for resource in [ResourceAttributes::NotFetched, ResourceAttributes::Absent, ResourceAttributes::Failed] {
        let asked = Asked { resource, ..asked() };
        assert_eq!(asked.evaluate("resource.owner == subject.id"), Err(Unresolved::NeedsResource));
        assert_eq!(asked.evaluate("resource.owner == subject.id || 'developer' in subject.roles"), Ok(true));
        assert_eq!(asked.evaluate("resource.billable && 'admin' in subject.roles"), Ok(false));
        assert_eq!(asked.evaluate("has(resource.owner)"), Err(Unresolved::NeedsResource));
        assert_eq!(asked.evaluate("resource.type == 'tasks' && has(resource.id)"), Ok(true));
        // The attribute may absorb the error, whichever comes first.
        assert_eq!(asked.evaluate("resource.billable && int('x' + 'y') == 1"), Err(Unresolved::NeedsResource));
        assert_eq!(asked.evaluate("int('x' + 'y') == 1 && resource.billable"), Err(Unresolved::NeedsResource));
        assert_eq!(asked.evaluate("subject.roles.exists(r, r == resource.owner)"), Err(Unresolved::NeedsResource));
        assert_eq!(asked.evaluate("subject.roles.exists(r, r == resource.owner || r == 'team_lead')"), Ok(true));
    }
}

#[test]
fn a_condition_knows_what_it_reads() {
    let example = Condition::compile(EXAMPLE).unwrap();
    assert_eq!(example.reads().iter().copied().collect::<Vec<_>>(), ["owner"]);
    assert!(example.reads_roles());
    let other = Condition::compile("has(resource.status) && resource['project_id'] == 'x' && resource.type == 'tasks'")
        .unwrap();
    assert_eq!(other.reads().iter().copied().collect::<Vec<_>>(), ["project_id", "status"]);
    assert!(!other.reads_roles());
}

#[test]
fn what_cannot_be_right_is_refused_where_it_is_written() {
    for (source, line, column, message) in [
        ("", 1, 1, "empty"),
        ("  \n ", 1, 1, "empty"),
        ("true &&", 1, 8, ""),
        ("(", 1, 2, ""),
        ("true\n&& )", 2, 4, ""),
        ("'ä€' == 'x' &&\n'ä€' == )", 2, 9, ""),
        ("user.id == 'x'", 1, 1, "unknown variable `user`"),
        ("true && usr == 'x'", 1, 9, "unknown variable `usr`"),
        ("subject.departement == 'x'", 1, 8, "unknown attribute `subject.departement`"),
        ("true ||\n  resource.ownr == 'x'", 2, 11, "unknown attribute `resource.ownr`"),
        ("'ä€' == 'x' || resource.ownr == 'x'", 1, 24, "unknown attribute `resource.ownr`"),
        ("request.ip == 'x'", 1, 8, "unknown attribute `request.ip`; there are time"),
        ("has(subject.nothing)", 1, 12, "unknown attribute `subject.nothing`"),
        ("resource['ownr'] == 'x'", 1, 9, "unknown attribute `resource.ownr`"),
        ("subject == resource", 1, 1, "`subject` is read by attribute"),
        ("subject[context.network] == 'x'", 1, 1, "read by attribute"),
        ("subject.id", 1, 8, "must be true or false, not string"),
        ("1 + 1", 1, 3, "must be true or false, not int"),
        ("subject.id == 1", 1, 12, "`==` does not apply to string and int"),
        ("resource.owner == null", 1, 16, "has()"),
        ("subject.id && true", 1, 8, "must be true or false, not string"),
        ("!subject.id", 1, 9, "must be true or false"),
        ("1 in subject.roles", 1, 3, "`in` does not apply to int and list(string)"),
        ("subject.roles.contains(1)", 1, 23, "`contains` does not apply"),
        ("subject.roles < ['x']", 1, 15, "does not apply"),
        ("subject.id + 1 == 'x'", 1, 12, "`+` does not apply"),
        ("1 + 1.0 == 2.0", 1, 3, "`+` does not apply to int and double"),
        ("-subject.id == 'x'", 1, 1, "`-` does not apply to string"),
        ("subject.id.foo == 'x'", 1, 11, "string has no attributes"),
        ("subject.id[0] == 'x'", 1, 11, "string cannot be indexed by int"),
        ("subject.roles['x'] == 'x'", 1, 14, "cannot be indexed"),
        ("subject.id.all(x, true)", 1, 15, "no elements"),
        ("subject.roles.all(x, x)", 1, 22, "must be true or false"),
        ("subject.roles.all(subject, true)", 1, 19, "is taken"),
        ("subject.roles.all(x.y, true)", 1, 20, "simple name"),
        ("subject.roles.all(x, true) && x == 'a'", 1, 31, "unknown variable `x`"),
        ("frobnicate(1)", 1, 11, "unknown function `frobnicate`"),
        ("subject.id.frobnicate()", 1, 22, "unknown method `frobnicate`"),
        ("contains(subject.id, 'x')", 1, 9, "unknown function `contains`"),
        ("subject.id.startsWith(1)", 1, 22, "`startsWith` does not apply to (string, int)"),
        ("has(subject)", 1, 4, "has() takes an attribute"),
        ("subject.id.matches(subject.email)", 1, 27, "literal"),
        ("subject.id.matches('(')", 1, 20, "not a regular expression"),
        ("timestamp('yesterday') < request.time", 1, 10, "cannot be converted"),
        ("duration('5 minutes') == duration('5m')", 1, 9, "cannot be converted"),
        ("1u == 1u", 1, 1, "unsigned"),
        ("b'x' == b'x'", 1, 1, "bytes"),
        ("Foo{a: 1} == 1", 1, 4, "messages"),
        ("{1: 2}[1] == 2", 1, 2, "map key must be a string"),
        ("subject.?id == 'x'", 1, 8, ""),
    ] {
        let error = Condition::compile(source).expect_err(source);
        assert!(error.message.contains(message), "{source}: {error}");
        assert_eq!((error.line, error.column), (line, column), "{source}: {error}");
    }
}
