//! Every reason that an error gives is in the enum that clients know.

use std::collections::BTreeSet;

use super::report::{Exceptions, Report};
use super::source::Source;
use super::tree;

const ENUM: &str = "proto/taskman/common/v1/reason.proto";

/// The functions that say the reason, or hold the table of reasons.
const FUNCTIONS: [&str; 3] = ["reason", "own", "default_reason"];

const NOT_FOR_CLIENTS: &[(&str, &str)] = &[
    ("EVENT_MALFORMED", "stands on a dead letter; no call is answered with it"),
    ("NO_HANDLER", "stands on a dead letter; no call is answered with it"),
];

#[test]
fn every_reason_is_in_the_enum() {
    let mut report = Report::default();
    let exceptions = Exceptions::new(NOT_FOR_CLIENTS);
    let known = known();
    let mut seen = 0;
    for source in tree::sources_of_members("src") {
        for (offset, reason) in reasons(&source) {
            seen += 1;
            let fine = known.contains(reason) || exceptions.excuse(reason);
            report.check(fine, source.place(offset), format!("REASON_{reason} is not in {ENUM}"));
        }
    }
    exceptions.finish(&mut report);
    report.check(seen > 50, ENUM, "hardly a reason was found: the test does not read what it should");
    report.finish();
}

fn known() -> BTreeSet<String> {
    let text = tree::read(ENUM);
    let values = text.lines().filter_map(|line| line.trim().strip_prefix("REASON_")?.split(' ').next());
    values.map(str::to_owned).collect()
}

fn reasons(source: &Source) -> Vec<(usize, &str)> {
    let bodies = FUNCTIONS.iter().flat_map(|name| source.bodies(name));
    let mut found: Vec<(usize, &str)> = bodies
        .flat_map(|body| source.strings_in(&body).collect::<Vec<_>>())
        .filter(|(_, text)| is_reason(text))
        .collect();
    if source.path.ends_with("/src/error.rs") {
        found.extend(source.strings_in(&(0..source.text.len())).filter(|(_, text)| is_reason(text)));
    }
    found.retain(|(offset, _)| !source.is_test(*offset));
    found.sort_unstable();
    found.dedup();
    found
}

fn is_reason(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
