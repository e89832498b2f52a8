//! Names that say nothing, and modules whose file cannot be told from its tab.

use super::report::{Exceptions, Report};
use super::tree;

/// Names under which everything and nothing belongs.
const EMPTY_NAMES: [&str; 7] = ["common", "core", "utils", "helpers", "types", "shared", "base"];

const ALLOWED: &[(&str, &str)] = &[(
    "proto/taskman/common",
    "the package `taskman.common.v1` is part of the interface: clients know the reasons of errors by it",
)];

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    let mut report = Report::default();
    let allowed = Exceptions::new(ALLOWED);
    for path in ["crates", "services", "proto/taskman", "deploy"].into_iter().flat_map(tree::below) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let says = !EMPTY_NAMES.contains(&stem) || allowed.excuse(&path);
        report.check(says, &path, format!("`{stem}` says nothing: name it after the noun it owns"));
    }
    allowed.finish(&mut report);
    report.finish();
}

#[test]
fn modules_are_files_of_their_own_name() {
    let mut report = Report::default();
    for path in ["crates", "services"].into_iter().flat_map(tree::below) {
        report.check(!path.ends_with("/mod.rs"), &path, "is `foo.rs` beside `foo/`, never `mod.rs`");
    }
    report.finish();
}
