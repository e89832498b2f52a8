//! Habits that a lint does not hold.

use super::report::{Exceptions, Report};
use super::tree;

/// A test waits for a fact, with a deadline; these are what it waits with, and what pretends to be slow.
const SLEEPS: &[(&str, &str)] = &[
    ("crates/cache/tests/it/replicas.rs", "wait-until itself: testkit cannot be used below chassis"),
    ("crates/limits/tests/it/limiters.rs", "wait-until itself: testkit cannot be used below chassis"),
    ("crates/devstack/tests/it/main.rs", "wait-until itself: testkit cannot be used below devstack"),
    (
        "crates/taskman/tests/it/broker_flow.rs",
        "how long the broker is away: the fault itself, and nobody waits for it",
    ),
];

const STATICS: &[(&str, &str)] =
    &[("crates/telemetry/src/testing.rs", "a process has one subscriber; all tests of a binary share it")];

/// What makes a static differ from one moment to the next.
const CHANGING: [&str; 7] = ["LazyLock", "OnceLock", "OnceCell", "LazyCell", "Mutex", "RwLock", "RefCell"];

#[test]
fn every_file_opens_with_its_story() {
    let mut report = Report::default();
    for source in tree::members().iter().flat_map(|member| tree::sources(member)) {
        report.check(source.text.starts_with("//! "), &source.path, "the first line is a `//!` sentence");
    }
    report.finish();
}

#[test]
fn nothing_is_ignored_or_left_to_do() {
    let mut report = Report::default();
    for source in tree::members().iter().flat_map(|member| tree::sources(member)) {
        for offset in source.uses("ignore") {
            let attribute = source.code[..offset].ends_with("#[");
            report.check(!attribute, source.place(offset), "a test runs, or it is not there");
        }
        for word in ["todo", "unimplemented"] {
            for offset in source.uses(word).filter(|offset| source.code[offset + word.len()..].starts_with('!')) {
                report.add(source.place(offset), format!("`{word}!` is no code"));
            }
        }
    }
    report.finish();
}

#[test]
fn tests_wait_for_facts_and_not_for_time() {
    let mut report = Report::default();
    let exceptions = Exceptions::new(SLEEPS);
    for source in tree::sources_of_members("tests") {
        for offset in source.uses("sleep").filter(|offset| source.code[offset + 5..].starts_with('(')) {
            report.check(
                exceptions.excuse(&source.path),
                source.place(offset),
                "a test does not sleep: use wait-until",
            );
        }
    }
    exceptions.finish(&mut report);
    report.finish();
}

#[test]
fn there_are_no_process_globals() {
    let mut report = Report::default();
    let exceptions = Exceptions::new(STATICS);
    for source in tree::sources_of_members("src") {
        for offset in source.uses("static").filter(|offset| !source.code[..*offset].ends_with('\'')) {
            let item = &source.code[offset..];
            let item = &item[..item.find(['=', ';']).unwrap_or(item.len())];
            let mutable = item.starts_with("static mut ");
            let changes = item.contains("Atomic") || CHANGING.iter().any(|kind| item.contains(kind));
            let fine = !(mutable || changes) || exceptions.excuse(&source.path);
            report.check(fine, source.place(offset), "what a function needs is passed in: services share a process");
        }
    }
    exceptions.finish(&mut report);
    report.finish();
}
