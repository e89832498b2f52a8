//! The tables of the machinery are migrations of each service: copies, byte by byte.

use super::report::Report;
use super::tree;

/// The migration, and where it is written.
const COPIES: [(&str, &str); 2] = [
    ("20261121080000_create_messaging_tables.sql", "crates/messaging/ddl.sql"),
    ("20261121080100_create_idempotency_keys.sql", "crates/postgres/ddl/idempotency.sql"),
];

#[test]
fn tables_of_the_machinery_are_copied_unchanged() {
    let mut report = Report::default();
    for (migration, original) in COPIES {
        let expected = tree::read(original);
        let copies = tree::services().into_iter().map(|service| format!("services/{service}/migrations/{migration}"));
        let copies: Vec<String> = copies.filter(|path| tree::exists(path)).collect();
        report.check(!copies.is_empty(), original, format!("no service has it as {migration}"));
        for copy in copies {
            let changed = "a migration that has run is never changed: change both by a further migration";
            report.check(tree::read(&copy) == expected, &copy, format!("differs from {original}; {changed}"));
        }
    }
    report.finish();
}

#[test]
fn tables_of_the_machinery_have_the_names_of_the_copies() {
    let mut report = Report::default();
    for path in tree::services().iter().flat_map(|service| tree::below(&format!("services/{service}/migrations"))) {
        let text = tree::read(&path);
        let original = COPIES.iter().find(|(_, original)| tree::read(original) == text);
        if let Some((migration, _)) = original {
            report.check(path.ends_with(migration), &path, format!("is called {migration} in every service"));
        }
    }
    report.finish();
}
