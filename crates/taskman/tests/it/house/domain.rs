//! The rules of a service are pure: no transport, no broker, no runtime, and of the database only derives.

use super::report::Report;
use super::source::Source;
use super::tree;

/// What the domain of a service does not know.
const UNKNOWN: [&str; 7] = ["tonic", "prost", "prost_types", "taskman_proto", "lapin", "redis", "tokio"];

/// What it is not built with either; its tests may compare its rules with those of the machinery.
const UNKNOWN_TO_RULES: [&str; 6] =
    ["taskman_rpc", "taskman_messaging", "taskman_postgres", "taskman_cache", "taskman_limits", "taskman_chassis"];

/// What it may have of sqlx. A domain type may derive how it is stored, so that a second type for its row is needed only
/// where the two differ; pools, connections and statements stay in the store.
const DERIVES: [&str; 3] = ["sqlx::Type", "sqlx::FromRow", "sqlx::types::Json"];

#[test]
fn the_domain_of_a_service_is_pure() {
    let mut report = Report::default();
    for service in tree::services() {
        let src = format!("services/{service}/src");
        let domain = tree::sources(&src).into_iter().filter(|source| {
            source.path == format!("{src}/domain.rs") || source.path.starts_with(&format!("{src}/domain/"))
        });
        for source in domain {
            for word in UNKNOWN {
                for offset in source.uses(word) {
                    report.add(source.place(offset), format!("the domain does not know {word}"));
                }
            }
            let tests_only = source.path.ends_with("/tests.rs");
            for word in UNKNOWN_TO_RULES.into_iter().filter(|_| !tests_only) {
                for offset in source.uses(word).filter(|offset| !source.is_test(*offset)) {
                    report.add(source.place(offset), format!("the domain does not know {word}"));
                }
            }
            for offset in source.uses("sqlx").filter(|offset| !is_derive(&source, *offset)) {
                report.add(source.place(offset), "of sqlx the domain has only derives");
            }
        }
    }
    report.finish();
}

fn is_derive(source: &Source, offset: usize) -> bool {
    let (before, rest) = source.code.split_at(offset);
    let attribute = before.ends_with("#[") && rest.starts_with("sqlx(");
    attribute
        || DERIVES
            .iter()
            .any(|derive| rest.strip_prefix(derive).is_some_and(|rest| !rest.starts_with(super::source::is_word)))
}
