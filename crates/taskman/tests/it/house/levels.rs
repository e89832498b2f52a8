//! Who may depend on whom: words, machinery, assembly, services, the top.
//!
//! Only what a crate is built with counts: its tests may use everything.

use std::collections::BTreeSet;

use super::manifests::{Member, members};
use super::report::{Exceptions, Report};

/// Level 0. A word may use those before it.
const WORDS: [&str; 7] = ["ids", "clock", "errors", "paging", "events", "policy", "proto"];

/// Level 1. One technology each.
const MACHINERY: [&str; 9] =
    ["resilience", "identity", "access", "postgres", "cache", "limits", "messaging", "rpc", "telemetry"];

/// What all machinery may use of its own level.
const FOR_ALL_MACHINERY: [&str; 2] = ["resilience", "telemetry"];

/// What else machinery uses of its own level.
const INSIDE: &[(&str, &str)] = &[
    ("messaging -> postgres", "the outbox and the inbox are rows in the service's own transaction"),
    ("rpc -> identity", "a call carries who calls"),
    ("access -> rpc", "the enforcement layer reads the method table and asks over a channel"),
    ("access -> identity", "the enforcement layer verifies tokens and vouchers"),
    ("limits -> cache", "decision record 0013: one connection to Redis, which cache owns"),
];

/// Level 2.
const ASSEMBLY: [&str; 1] = ["chassis"];

/// What only tests and `taskman` may use.
const DEVELOPMENT: [&str; 2] = ["devstack", "testkit"];

/// Level 4.
const TOP: &str = "taskman";

/// What does input and output: no word may be built with it.
const INPUT_AND_OUTPUT: [&str; 11] =
    ["tokio", "tonic", "hyper", "axum", "tower", "reqwest", "sqlx", "redis", "lapin", "lettre", "tonic-prost"];

const WORDS_WITH_INPUT_AND_OUTPUT: &[(&str, &str)] = &[
    ("proto -> tonic", "the generated clients and servers are tonic's"),
    ("proto -> tonic-prost", "the codec of the generated code"),
    ("ids -> sqlx", "ids are bound to statements as they are; a feature asks for it"),
];

#[test]
fn dependencies_go_downwards() {
    let mut report = Report::default();
    let inside = Exceptions::new(INSIDE);
    for member in members() {
        for used in member.built_with() {
            if let Some(reason) = refused(&member, used, &inside) {
                report.add(format!("{}/Cargo.toml", member.path), format!("taskman-{used}: {reason}"));
            }
        }
    }
    inside.finish(&mut report);
    report.finish();
}

#[test]
fn every_crate_has_a_level() {
    let mut report = Report::default();
    let levels = WORDS.iter().chain(&MACHINERY).chain(&ASSEMBLY).chain(&DEVELOPMENT).chain([&TOP]);
    let levels: BTreeSet<&str> = levels.copied().collect();
    let members = members();
    let crates: BTreeSet<&str> =
        members.iter().filter(|member| member.path.starts_with("crates/")).map(Member::folder).collect();
    for name in levels.symmetric_difference(&crates) {
        report.add(format!("crates/{name}"), "the levels and the tree do not name the same crates");
    }
    report.finish();
}

#[test]
fn words_do_no_input_or_output() {
    let mut report = Report::default();
    let exceptions = Exceptions::new(WORDS_WITH_INPUT_AND_OUTPUT);
    for member in members().iter().filter(|member| WORDS.contains(&member.folder())) {
        for used in
            member.dependencies.iter().filter(|used| !used.dev && INPUT_AND_OUTPUT.contains(&used.name.as_str()))
        {
            let excused = exceptions.excuse(&format!("{} -> {}", member.folder(), used.name));
            let place = format!("{}/Cargo.toml", member.path);
            report.check(excused, &place, format!("a word does no I/O: {}", used.name));
            report.check(used.name != "sqlx" || used.optional, place, "sqlx must be behind a feature");
        }
    }
    exceptions.finish(&mut report);
    report.finish();
}

/// Says why `member` may not be built with `used`.
fn refused(member: &Member, used: &str, inside: &Exceptions) -> Option<&'static str> {
    let folder = member.folder();
    let low = WORDS.contains(&used) || MACHINERY.contains(&used);
    if member.path.starts_with("services/") {
        let allowed = low || ASSEMBLY.contains(&used);
        return (!allowed).then_some("a service uses words, machinery and chassis; another service by proto or event");
    }
    if let Some(position) = WORDS.iter().position(|word| *word == folder) {
        return (!WORDS[..position].contains(&used)).then_some("a word may use only the words before it");
    }
    if MACHINERY.contains(&folder) {
        let allowed = WORDS.contains(&used)
            || (FOR_ALL_MACHINERY.contains(&used) && folder != used)
            || inside.excuse(&format!("{folder} -> {used}"));
        return (!allowed)
            .then_some("machinery may use words, resilience, telemetry and what the table `INSIDE` lists");
    }
    let reason = match folder {
        "chassis" => (!low).then_some("chassis may use words and machinery"),
        "devstack" => (!WORDS.contains(&used)).then_some("devstack starts servers and knows nothing of the fleet"),
        "testkit" => {
            let allowed = low || ASSEMBLY.contains(&used) || used == "devstack";
            (!allowed).then_some("testkit may use words, machinery, chassis and devstack")
        }
        TOP => (used == "testkit").then_some("testkit is for tests"),
        _ => Some("this crate has no level"),
    };
    reason.or_else(|| (used == TOP).then_some("nothing is above taskman"))
}
