//! Every statement is about one company, or says why not.

use super::report::{Exceptions, Report};
use super::source::Source;
use super::tree;

/// The words that a statement begins with.
const VERBS: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "TRUNCATE", "COPY"];

/// What a statement says that is about no company, or about all, followed by why.
const EXCUSE: &str = "no company:";

const OUTSIDE_OF_STORE: &[(&str, &str)] =
    &[("services/authorization/src/app/load.rs", "sets the isolation of the transaction that several reads share")];

#[test]
fn every_statement_names_its_company() {
    let mut report = Report::default();
    for service in tree::services() {
        let src = format!("services/{service}/src");
        for source in tree::sources(&format!("{src}/store")) {
            for string in &source.strings {
                if source.is_test(string.start) || !is_statement(&source.text[string.clone()]) {
                    continue;
                }
                let statement = whole(&source, string.start);
                let fine = is_scoped(&statement) || statement.contains(EXCUSE) || is_excused(&source, string.start);
                report.check(
                    fine,
                    source.place(string.start),
                    "the statement is not scoped by company_id, and no `no company: <why>` stands in it or above it",
                );
            }
        }
    }
    report.finish();
}

#[test]
fn statements_stand_in_the_store() {
    let mut report = Report::default();
    let exceptions = Exceptions::new(OUTSIDE_OF_STORE);
    for service in tree::services() {
        let src = format!("services/{service}/src");
        for source in tree::sources(&src).iter().filter(|source| !source.path.starts_with(&format!("{src}/store"))) {
            for word in ["query", "query_as", "query_scalar", "raw_sql", "QueryBuilder"] {
                let calls = source.uses(word).filter(|offset| !source.is_test(*offset));
                for offset in calls.filter(|offset| source.code[..*offset].ends_with("sqlx::")) {
                    report.check(exceptions.excuse(&source.path), source.place(offset), "SQL stands in the store");
                }
            }
        }
    }
    exceptions.finish(&mut report);
    report.finish();
}

/// Says whether a string is a statement, or the beginning of one.
fn is_statement(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("--"));
    first.is_some_and(|line| {
        VERBS.iter().any(|verb| line.strip_prefix(verb).is_some_and(|rest| !rest.starts_with(super::source::is_word)))
    })
}

/// Returns all of a statement: one that is built from pieces has them in the rest of the function.
fn whole(source: &Source, offset: usize) -> String {
    let own = source.strings_in(&(offset..offset + 1)).map(|(_, text)| text).collect();
    let Some(body) = source.function_around(offset) else { return own };
    if !source.code[body.clone()].contains("QueryBuilder") {
        return own;
    }
    source.strings_in(&(offset..body.end)).map(|(_, text)| text).collect()
}

/// Says whether a statement is about the companies that it is given: those of the rows that it inserts, those that it
/// chooses rows by, or those of the pairs that it is joined with.
fn is_scoped(statement: &str) -> bool {
    if let Some((_, inserted)) = statement.split_once("INSERT INTO") {
        let columns = inserted.split(['(', ')']).nth(1);
        return columns.is_some_and(names_company);
    }
    let chosen = statement.split_once("WHERE").or_else(|| statement.split_once("JOIN unnest("));
    chosen.is_some_and(|(_, choice)| names_company(choice))
}

fn names_company(text: &str) -> bool {
    text.match_indices("company_id").any(|(offset, word)| {
        !text[..offset].ends_with(super::source::is_word)
            && !text[offset + word.len()..].starts_with(super::source::is_word)
    })
}

/// Says whether a comment in front of the string, with no other statement between them, gives the reason.
fn is_excused(source: &Source, offset: usize) -> bool {
    let above = source.comments.iter().rev().filter(|comment| comment.end <= offset);
    above.take(8).any(|comment| {
        let reason = source.text[comment.clone()].split_once(EXCUSE).map(|(_, reason)| reason.trim());
        let between = &source.code[comment.end..offset];
        reason.is_some_and(|reason| !reason.is_empty()) && !between.contains([';', '}'])
    })
}

#[test]
fn a_statement_is_scoped_where_it_chooses_rows() {
    assert!(is_scoped("SELECT id FROM tasks WHERE company_id = $1 AND id = $2"));
    assert!(is_scoped("INSERT INTO tasks (company_id, id) VALUES ($1, $2)"));
    assert!(!is_scoped("SELECT company_id FROM tasks WHERE id = $1"));
    assert!(is_scoped("SELECT id FROM keys JOIN unnest($1, $2) AS wanted (company_id, id) USING (company_id, id)"));
    assert!(is_scoped(
        "WITH next AS (UPDATE head SET n = n + 1 RETURNING n) INSERT INTO log (n, company_id) SELECT n, $1 FROM next"
    ));
    assert!(!is_scoped("INSERT INTO tasks (id) SELECT company_id FROM projects"));
    assert!(!is_scoped("SELECT company_id FROM tasks"));
    assert!(!is_scoped("DELETE FROM tasks WHERE parent_company_id = $1"));
    assert!(
        is_statement("-- no company: all\n  DELETE FROM tasks") && !is_statement("SELECTED") && !is_statement("name")
    );
}
