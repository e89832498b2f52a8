//! Runs the table of pattern cases.

use taskman_ids::{CompanyId, UserId};
use taskman_policy::{Action, ActionPattern, Malformed, Resource, ResourcePattern, Substitution};

const TABLE: &str = include_str!("../data/patterns.txt");

fn text(column: &str) -> &str {
    if column == "\"\"" { "" } else { column }
}

fn refused<T>(parsed: Result<T, Malformed>, part: &str) -> bool {
    parsed.is_err_and(|wrong| wrong.to_string().contains(part))
}

fn holds(columns: &[&str], subject: &Substitution) -> Option<bool> {
    let action_pattern = |at: usize| ActionPattern::parse(columns[at]).ok();
    let resource_pattern = |at: usize| ResourcePattern::parse(columns[at]).ok();
    let answer = |answer: bool| answer == (columns[3] == "yes");
    Some(match columns[0] {
        "action" => answer(action_pattern(1)?.matches(&Action::parse(columns[2]).ok()?)),
        // What no request can say cannot be matched either.
        "resource" => answer(
            Resource::parse(columns[2])
                .is_ok_and(|resource| resource_pattern(1).is_some_and(|pattern| pattern.matches(&resource, subject))),
        ),
        "actions-include" => answer(action_pattern(1)?.includes(&action_pattern(2)?)),
        "resources-include" => answer(resource_pattern(1)?.includes(&resource_pattern(2)?)),
        "bad-action" => refused(Action::parse(text(columns[1])), columns[2]),
        "bad-resource" => refused(Resource::parse(text(columns[1])), columns[2]),
        "bad-action-pattern" => refused(ActionPattern::parse(text(columns[1])), columns[2]),
        "bad-resource-pattern" => refused(ResourcePattern::parse(text(columns[1])), columns[2]),
        _ => return None,
    })
}

#[test]
fn every_case_of_the_table_holds() {
    let subject = Substitution::new(
        UserId::parse("11111111-1111-7111-8111-111111111111").unwrap(),
        CompanyId::parse("22222222-2222-7222-8222-222222222222").unwrap(),
    );
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
    let wrong: Vec<String> = cases
        .iter()
        .filter(|columns| holds(columns, &subject) != Some(true))
        .map(|columns| columns.join(" "))
        .collect();
    assert!(cases.len() >= 150, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} cases do not hold:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_pattern_that_includes_another_matches_whatever_that_one_matches() {
    let patterns =
        ["*", "tasks", "tasks/*", "tasks/**", "tasks/1", "tasks/1*", "tasks/*1", "tasks/1/**", "*/1", "tasks/*/x"];
    let resources = ["tasks", "tasks/1", "tasks/11", "tasks/21", "tasks/1/x", "tasks/2/x", "projects/1", "projects"];
    let subject = Substitution::new(UserId::new(), CompanyId::new());
    for wide in patterns.map(|text| ResourcePattern::parse(text).unwrap()) {
        for narrow in patterns.map(|text| ResourcePattern::parse(text).unwrap()) {
            for resource in resources.map(|text| Resource::parse(text).unwrap()) {
                let escapes = narrow.matches(&resource, &subject) && !wide.matches(&resource, &subject);
                assert!(!(wide.includes(&narrow) && escapes), "{wide} includes {narrow}, but not {resource}");
            }
        }
    }
}
