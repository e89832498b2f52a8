//! Proves that no condition exhausts a stack, the memory or the patience of a server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use taskman_policy::condition::{Attributes, Condition, Unresolved};
use taskman_policy::{Action, HeldRole, Resource, Value};

use crate::builders::{known, now, role, subject};

/// Generous: an unoptimised build on a busy machine. What is guarded against takes minutes or gigabytes.
const PATIENCE: Duration = Duration::from_secs(10);

fn refused(source: &str) -> String {
    let start = Instant::now();
    let error = Condition::compile(source).expect_err(&source[..source.len().min(80)]);
    assert!(start.elapsed() < PATIENCE, "{:?} for {}", start.elapsed(), &source[..source.len().min(80)]);
    error.message
}

/// Evaluates for a subject with 200 roles and a resource with 200 labels of 200 bytes.
fn evaluate(source: &str) -> Result<bool, Unresolved> {
    let condition = Condition::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut subject = subject(&[]);
    subject.roles = (0..200)
        .map(|number| HeldRole { role_id: role(number), name: format!("role-{number:03}"), expires_at: None })
        .collect();
    let labels = Value::strings((0..200).map(|number| format!("{number:0>200}")));
    let resource = known(&[("labels", labels), ("owner", Value::from("x".repeat(60_000)))]);
    let start = Instant::now();
    let result = condition.evaluate(&Attributes {
        subject: &subject,
        action: &Action::parse("tasks:edit").unwrap(),
        resource: &Resource::parse("tasks/1").unwrap(),
        resource_attributes: &resource,
        context: &BTreeMap::new(),
        now: now(),
    });
    assert!(start.elapsed() < PATIENCE, "{:?} for {source}", start.elapsed());
    result
}

fn costs_too_much(source: &str) -> bool {
    matches!(evaluate(source), Err(Unresolved::Failed(error)) if error.message.contains("costs too much"))
}

fn fill(unit: &str) -> String {
    unit.repeat(4_000 / unit.len())
}

#[test]
fn a_source_that_is_too_long_is_not_parsed() {
    assert!(refused(&format!("true{}", " ".repeat(4_096))).contains("longer than 4096"));
}

#[test]
fn brackets_are_counted_before_parsing() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a':", "}"), ("size(", ")")] {
        let nested = format!("{}1{}", open.repeat(500), close.repeat(500));
        assert!(refused(&nested).contains("nested deeper than 64"));
        assert!(refused(&open.repeat(500)).contains("nested deeper than 64"));
    }
    assert!(refused(&"( ')' + ".repeat(500)).contains("nested deeper than 64"));
}

#[test]
fn the_deepest_brackets_that_pass_are_parsed() {
    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Condition::compile(&nested(64)).is_ok());
    assert!(refused(&nested(65)).contains("nested deeper than 64"));
}

#[test]
fn left_recursive_chains_overflow_no_stack() {
    for chain in [
        format!("1{} == 1", fill(" + 1")),
        format!("1{} == 1", fill("+1")),
        format!("context{} == 1", fill(".a")),
        format!("context{} == 1", fill("['x']")),
        format!("subject.id{} == 1", fill(".size()")),
        format!("context{} == 1", fill("[0]")),
        format!("1{}", fill("<1")),
        fill("true?true:").clone() + "true",
    ] {
        refused(&chain);
    }
}

#[test]
fn long_chains_of_connectives_are_refused_by_their_size_only() {
    assert!(refused(&format!("true{}", fill("&&true"))).contains("more than 512 parts"));
    assert!(Condition::compile(&format!("true{}", "||true".repeat(200))).is_ok());
}

#[test]
fn texts_that_confuse_parsers_are_refused_quickly() {
    let bomb = "!!(!!!!!!(!!!!(((((!!(!!(!!!!((";
    for source in [
        bomb.repeat(4),
        bomb.repeat(8),
        fill("!"),
        fill("-"),
        fill("- "),
        fill("!-"),
        fill(")"),
        fill("'"),
        fill("\"\"\""),
        fill("\\"),
        fill("a."),
        fill("a,"),
        fill("?:"),
        fill("a?"),
        fill("[]"),
        fill("in "),
        fill("&&"),
        fill("\u{1f600}"),
        fill("\0"),
        fill("//"),
        format!("f({}", fill("a,")),
        format!("[{}", fill("1,")),
        format!("{{{}", fill("'a':1,")),
        "999999999999999999999999 == 1".to_owned(),
        "'\\u12' == ''".to_owned(),
        "'\\xZZ' == ''".to_owned(),
        "1e999999 == 1".to_owned(),
        "`x`".to_owned(),
        ".subject".to_owned(),
        "@result".to_owned(),
        "__result__".to_owned(),
    ] {
        refused(&source);
    }
}

#[test]
fn an_even_chain_of_negations_is_bounded() {
    // `!` repeated is one or no negation to the parser; whatever it makes of it is small.
    if let Ok(condition) = Condition::compile(&format!("{}true", "!".repeat(4_000))) {
        assert_eq!(condition.source().len(), 4_004);
    }
}

#[test]
fn loops_nest_two_deep_and_no_deeper() {
    let loops = |depth: usize| format!("{}true{}", "subject.roles.all(x, ".repeat(depth), ")".repeat(depth));
    assert!(Condition::compile(&loops(2)).is_ok());
    assert!(refused(&loops(3)).contains("nested deeper than 2"));
    assert!(refused(&loops(6)).contains("nested deeper than 2"));
    let literals = "[1,2,3,4,5,6,7,8,9,0].all(a, ".repeat(6) + "true" + &")".repeat(6);
    assert!(refused(&literals).contains("nested deeper than 2"));
    // One after the other is not one in the other.
    assert!(Condition::compile("subject.roles.filter(a, a != '').map(b, b + '').exists(c, c == '')").is_ok());
}

#[test]
fn two_loops_over_two_hundred_elements_are_evaluated() {
    assert_eq!(evaluate("subject.roles.all(a, subject.roles.exists(b, a == b))"), Ok(true));
    assert_eq!(evaluate("subject.roles.all(a, resource.labels.all(b, a != b))"), Ok(true));
}

#[test]
fn whatever_would_take_long_runs_out_of_fuel() {
    let pairs = "subject.roles.map(a, subject.roles.map(b, a + b))";
    for source in [
        "subject.roles.all(a, subject.roles.all(b, subject.roles.contains(a + b) || true))".to_owned(),
        format!("{pairs} == {pairs}"),
        "(subject.roles + subject.roles + subject.roles).all(a, (subject.roles + subject.roles).all(b, a + b != ''))"
            .to_owned(),
        "subject.roles.all(a, resource.owner.contains('xxxxy') || true)".to_owned(),
        "subject.roles.all(a, resource.owner.matches('(x+x+)+y') || true)".to_owned(),
        "subject.roles.all(a, resource.labels.all(b, resource.labels == resource.labels))".to_owned(),
    ] {
        assert!(costs_too_much(&source), "{source}: {:?}", evaluate(&source));
    }
}

#[test]
fn doubling_exhausts_no_memory() {
    let text = format!("['x']{}.size() == 1", ".map(x, x + x)".repeat(24));
    assert!(matches!(evaluate(&text), Err(Unresolved::Failed(error)) if error.message.contains("longer than 65536")));
    // Shared, so cheap to make; comparing walks all of it.
    let lists = format!("['x']{}", ".map(x, [x, x])".repeat(24));
    assert!(costs_too_much(&format!("{lists} == {lists}")));
    let sums = format!("[['x']]{}.size() == 1", ".map(x, x + x)".repeat(24));
    assert!(costs_too_much(&sums));
}

#[test]
fn running_out_of_fuel_is_absorbed_by_nothing() {
    assert!(costs_too_much(
        "subject.roles.all(a, subject.roles.all(b, subject.roles.contains(a + b) || true)) || true"
    ));
}

#[test]
fn regular_expressions_are_small_literals() {
    for bomb in ["((a{100}){100}){100}", "(a|b|c){1000}{1000}", r"\\pL{500}", "((((((a*)*)*)*)*)*){999}{99}"] {
        assert!(refused(&format!("subject.id.matches('{bomb}')")).contains("too large"), "{bomb}");
    }
    let nested = format!("{}a{}", "(".repeat(60), ")".repeat(60));
    assert!(refused(&format!("subject.id.matches('{nested}')")).contains("too large"));
    assert_eq!(evaluate(r"subject.roles.all(r, r.matches('^role-\\d{3}$'))"), Ok(true));
    assert_eq!(evaluate("subject.roles.exists(r, r.matches('(a+)+$'))"), Ok(false));
}

#[test]
fn longer_lists_than_two_hundred_are_an_error() {
    let mut many = subject(&[]);
    many.roles = (0..201)
        .map(|number| HeldRole { role_id: role(number), name: format!("role-{number}"), expires_at: None })
        .collect();
    let resource = known(&[("labels", Value::strings((0..201).map(|number| number.to_string())))]);
    for source in ["subject.roles.contains('x')", "resource.labels.contains('x')"] {
        let result = Condition::compile(source).unwrap().evaluate(&Attributes {
            subject: &many,
            action: &Action::parse("tasks:edit").unwrap(),
            resource: &Resource::parse("tasks/1").unwrap(),
            resource_attributes: &resource,
            context: &BTreeMap::new(),
            now: now(),
        });
        assert!(
            matches!(result, Err(Unresolved::Failed(error)) if error.message.contains("more than 200")),
            "{source}"
        );
    }
}

#[test]
fn a_condition_compiles_and_evaluates_on_a_small_stack() {
    let worst = format!("{}true{}", "(".repeat(64), ")".repeat(64));
    let deep = format!("1{} == 61", " + 1".repeat(60));
    let run = move || {
        assert!(Condition::compile(&worst).is_ok());
        assert_eq!(evaluate(&deep), Ok(true));
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}
