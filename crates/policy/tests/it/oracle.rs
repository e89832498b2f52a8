//! Compares the evaluator with the CEL crate's own, value for value.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use cel::common::types::{CelBool, DYN_TYPE, LIST_TYPE};
use cel::common::value::CowVal;
use cel::{Context, Env, ExecutionError};
use proptest::prelude::*;
use taskman_policy::condition::{Attributes, Condition};
use taskman_policy::{Action, Resource, Value};

use crate::builders::{known, now, subject, uuid};

#[expect(clippy::needless_pass_by_value, reason = "the signature is the crate's")]
fn list_contains<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let list = arguments[0].as_container().ok_or_else(ExecutionError::missing_argument_or_target)?;
    Ok(CowVal::owned(CelBool::from(list.contains(arguments[1].as_ref())?)))
}

fn environment() -> Arc<Env> {
    let mut env = Env::stdlib();
    env.add_member_overload(
        "contains",
        "list_contains",
        LIST_TYPE.to_owned(),
        vec![DYN_TYPE.to_owned()],
        list_contains,
    )
    .unwrap();
    Arc::new(env)
}

/// What the crate says; nothing for an error.
fn theirs(env: &Arc<Env>, source: &str) -> Option<bool> {
    let mut context = Context::with_env(Arc::clone(env));
    let text = |value: &str| cel::Value::from(value.to_owned());
    let roles: Vec<cel::Value> = ["developer", "team_lead"].into_iter().map(text).collect();
    let subject = HashMap::from([
        ("id".to_owned(), text(&uuid(7).to_string())),
        ("department".to_owned(), text("engineering")),
        ("email".to_owned(), text("ada@example.com")),
        ("roles".to_owned(), cel::Value::from(roles)),
    ]);
    let resource = HashMap::from([
        ("type".to_owned(), text("tasks")),
        ("id".to_owned(), text("1")),
        ("owner".to_owned(), text(&uuid(7).to_string())),
        ("status".to_owned(), text("todo")),
        ("billable".to_owned(), cel::Value::from(true)),
    ]);
    context.add_variable_from_value("subject", subject);
    context.add_variable_from_value("resource", resource);
    context.add_variable_from_value("context", HashMap::from([("level".to_owned(), text("3"))]));
    context.add_variable_from_value("action", text("tasks:edit"));
    match env.compile(source).unwrap().execute(&context) {
        Ok(cel::Value::Bool(truth)) => Some(truth),
        _ => None,
    }
}

fn ours(condition: &Condition) -> Option<bool> {
    let resource = known(&[
        ("owner", Value::from(uuid(7).to_string())),
        ("status", Value::from("todo")),
        ("billable", Value::from(true)),
    ]);
    let attributes = Attributes {
        subject: &subject(&[(1, "developer"), (2, "team_lead")]),
        action: &Action::parse("tasks:edit").unwrap(),
        resource: &Resource::parse("tasks/1").unwrap(),
        resource_attributes: &resource,
        context: &BTreeMap::from([("level".to_owned(), "3".to_owned())]),
        now: now(),
    };
    condition.evaluate(&attributes).ok()
}

/// Expressions of one type each, as text.
#[derive(Clone)]
struct Grammar {
    bools: BoxedStrategy<String>,
    ints: BoxedStrategy<String>,
    texts: BoxedStrategy<String>,
    lists: BoxedStrategy<String>,
}

fn leaves() -> Grammar {
    let of = |texts: &[&'static str]| proptest::sample::select(texts.to_vec()).prop_map(str::to_owned).boxed();
    Grammar {
        bools: of(&[
            "true",
            "false",
            "resource.billable",
            "has(subject.location)",
            "has(resource.status)",
            "has(context.level)",
            "1 / 0 == 1",
        ]),
        ints: of(&[
            "0",
            "1",
            "-1",
            "2",
            "9223372036854775807",
            "-9223372036854775808",
            "int(context.level)",
            "1.5",
            "2.0",
        ]),
        texts: of(&[
            "''",
            "'a'",
            "'todo'",
            "'developer'",
            "subject.department",
            "subject.location",
            "resource.owner",
            "resource.status",
            "context.level",
            "context.gone",
            "action",
        ]),
        lists: of(&["subject.roles", "[]", "['a']", "['a', 'b', 'developer']", "['3', 'x', '1']"]),
    }
}

fn bools(below: &Grammar) -> BoxedStrategy<String> {
    let Grammar { bools, ints, texts, lists } = below.clone();
    let compare = proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let method = proptest::sample::select(vec!["contains", "startsWith", "endsWith"]);
    let loops = proptest::sample::select(vec!["all", "exists", "exists_one"]);
    let body = prop_oneof![
        bools.clone(),
        texts.clone().prop_map(|text| format!("x == {text}")),
        Just("int(x) == 3".to_owned()),
        texts.clone().prop_map(|text| format!("x.contains({text})")),
    ];
    prop_oneof![
        (bools.clone(), bools.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
        (bools.clone(), bools.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
        bools.clone().prop_map(|operand| format!("!({operand})")),
        (bools.clone(), bools.clone(), bools).prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
        (ints.clone(), compare.clone(), ints)
            .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
        (texts.clone(), compare, texts.clone())
            .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
        (texts.clone(), method, texts.clone()).prop_map(|(text, method, part)| format!("({text}).{method}({part})")),
        (texts.clone(), lists.clone()).prop_map(|(text, list)| format!("({text} in {list})")),
        (lists.clone(), texts).prop_map(|(list, text)| format!("{list}.contains({text})")),
        (lists.clone(), lists.clone()).prop_map(|(left, right)| format!("({left} == {right})")),
        (lists, loops, body).prop_map(|(list, kind, body)| format!("{list}.{kind}(x, {body})")),
    ]
    .boxed()
}

fn deeper(below: &Grammar) -> Grammar {
    let Grammar { bools: truths, ints, texts, lists } = below.clone();
    let operator = proptest::sample::select(vec!["+", "-", "*", "/", "%"]);
    Grammar {
        bools: prop_oneof![truths, bools(below)].boxed(),
        ints: prop_oneof![
            ints.clone(),
            (ints.clone(), operator, ints.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            ints.clone().prop_map(|operand| format!("-({operand})")),
            texts.clone().prop_map(|text| format!("size({text})")),
            lists.clone().prop_map(|list| format!("{list}.size()")),
        ]
        .boxed(),
        texts: prop_oneof![
            texts.clone(),
            (texts.clone(), texts.clone()).prop_map(|(left, right)| format!("({left} + {right})")),
            (lists.clone(), ints).prop_map(|(list, index)| format!("{list}[{index}]")),
        ]
        .boxed(),
        lists: prop_oneof![
            lists.clone(),
            (lists.clone(), lists.clone()).prop_map(|(left, right)| format!("({left} + {right})")),
            texts.prop_map(|text| format!("[{text}]")),
            lists.clone().prop_map(|list| format!("{list}.filter(x, x != 'a')")),
            lists.prop_map(|list| format!("{list}.map(x, x + 'b')")),
        ]
        .boxed(),
    }
}

fn conditions() -> BoxedStrategy<String> {
    bools(&deeper(&deeper(&leaves())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_evaluator_agrees_with_the_crate(source in conditions()) {
        // What the checker refuses is not evaluated at all.
        let compiled = Condition::compile(&source);
        prop_assume!(compiled.is_ok());
        let condition = compiled.unwrap();
        prop_assert_eq!(ours(&condition), theirs(&environment(), &source), "{}", source);
    }
}

#[test]
fn the_evaluator_agrees_with_the_crate_on_times_and_conversions() {
    let env = environment();
    for source in [
        "timestamp('2026-11-21T09:30:15.250Z').getFullYear() == 2026",
        "timestamp('2026-11-21T09:30:15.250Z').getMonth() == 10",
        "timestamp('2026-11-21T09:30:15.250Z').getDate() == 21",
        "timestamp('2026-11-21T09:30:15.250Z').getDayOfMonth() == 20",
        "timestamp('2026-11-21T09:30:15.250Z').getDayOfWeek() == 6",
        "timestamp('2026-11-21T09:30:15.250Z').getDayOfYear() == 324",
        "timestamp('2026-11-21T09:30:15.250Z').getHours() == 9",
        "timestamp('2026-11-21T09:30:15.250Z').getMinutes() == 30",
        "timestamp('2026-11-21T09:30:15.250Z').getSeconds() == 15",
        "timestamp('2026-11-21T09:30:15.250Z').getMilliseconds() == 250",
        "timestamp('2026-11-21T10:30:00+01:00') == timestamp('2026-11-21T09:30:00Z')",
        "timestamp('2026-11-21T09:30:00Z') - timestamp('2026-11-21T09:00:00Z') == duration('30m')",
        "timestamp('9999-12-31T23:59:59Z') + duration('1s') > timestamp('2026-11-21T09:00:00Z')",
        "duration('1.5h') == duration('90m') && duration('-1s') < duration('1ms')",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60",
        "string(timestamp('2026-11-21T09:30:00Z')) == '2026-11-21T09:30:00Z'",
        "int(1.9) == 1 && int(-1.9) == -1 && int('-12') == -12",
        "int('1.' + '5') == 1",
        "double('1' + 'x') == 1.0",
        "timestamp('2026' + '-11-21') < timestamp('2027-01-01T00:00:00Z')",
        "int(9223372036854775808.0) == 1",
        "double('1.5') == 1.5 && double(2) == 2.0",
        "9007199254740993 == 9007199254740992.0",
        "9007199254740993 > 9007199254740992.0",
        "1.0 / 0.0 > 9223372036854775807",
        "0.0 / 0.0 == 0.0 / 0.0",
        "-9223372036854775808 / -1 == 1",
        "-9223372036854775808 % -1 == 0",
        "-7 / 2 == -3 && -7 % 2 == -1",
        "false < true",
        "'a' < 'b' && 'ä' > 'z'",
        "{'a': [1, 'x'][0]} == {'a': 1.0}",
        "{'a': 1, 'a': 2}['a'] == 1",
        "'a' in {'a': 1} && !('b' in {'a': 1})",
        "{'a': 1}.all(k, k == 'a') && size({}) == 0",
        "[[1, 'x'], [true]].exists(l, l.contains('x'))",
    ] {
        let condition = Condition::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(ours(&condition), theirs(&env, source), "{source}");
    }
}
