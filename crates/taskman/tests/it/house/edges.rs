//! Who calls whom is a table in ARCHITECTURE.md, and the code calls nobody else.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Report;
use super::source::Source;
use super::tree;

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Edges between services";

/// Stands in the table for all services but the other side.
const EVERYBODY: &str = "every service";

/// Whose code the calls of every service are in: the enforcement layer and the assembly.
const FOR_EVERYBODY: [&str; 2] = ["crates/access/src", "crates/chassis/src"];

/// The generated clients, and who answers them. Several services serve the attributes of their records; the channel
/// tells which of them is meant.
const CLIENTS: [(&str, &str); 7] = [
    ("AuthenticationServiceClient", "authentication"),
    ("AuthorizationServiceClient", "authorization"),
    ("UserServiceClient", "user"),
    ("IamAdminServiceClient", "iam-admin"),
    ("TaskServiceClient", "task"),
    ("AuditServiceClient", "audit"),
    ("NotificationServiceClient", "notification"),
];

/// From and to.
type Edge = (String, String);

/// A row of the table.
struct Row {
    place: String,
    edges: BTreeSet<Edge>,
    methods: BTreeSet<String>,
}

#[test]
fn every_call_between_services_is_in_the_table_and_every_row_is_used() {
    let mut report = Report::default();
    let rows = rows();
    let found = found();
    for (edge, place) in &found {
        let listed = rows.iter().any(|row| row.edges.contains(edge));
        report.check(listed, place, format!("{} calls {}: {PAGE} has no row for it", edge.0, edge.1));
    }
    for row in &rows {
        for edge in row.edges.iter().filter(|edge| !found.contains_key(edge)) {
            report.add(&row.place, format!("{} does not call {}", edge.0, edge.1));
        }
    }
    report.finish();
}

#[test]
fn the_table_names_the_methods_that_are_called() {
    let mut report = Report::default();
    let methods = methods();
    for row in rows() {
        for method in &row.methods {
            let callers: BTreeSet<&String> = row.edges.iter().map(|(from, _)| from).collect();
            report.check(methods.contains(method), &row.place, format!("no service has a method {method}"));
            let uncalled = callers.into_iter().filter(|from| !calls(from, method));
            for from in uncalled {
                report.add(&row.place, format!("{from} does not call {method}"));
            }
        }
    }
    for service in tree::services() {
        let listed = rows().into_iter().filter(|row| row.edges.iter().any(|(from, _)| *from == service));
        let listed: BTreeSet<String> = listed.flat_map(|row| row.methods).collect();
        for source in tree::sources(&format!("services/{service}/src")).iter().filter(|source| is_client(source)) {
            for method in methods.iter().filter(|method| !listed.contains(*method)) {
                for offset in calls_in(source, method) {
                    report.add(source.place(offset), format!("calls {method}, which no row of {PAGE} names"));
                }
            }
        }
    }
    report.finish();
}

/// Reads the table: `| from | to | methods |`, where a cell may list several.
fn rows() -> Vec<Row> {
    assert!(tree::exists(PAGE), "{PAGE} is missing; it has the table of calls under `{HEADING}`");
    let page = tree::read(PAGE);
    let section = page.lines().enumerate().skip_while(|(_, line)| line.trim() != HEADING).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with("## ")).filter(|(_, line)| line.starts_with('|'));
    let rows: Vec<Row> = section.skip(2).map(|(index, line)| row(index + 1, line)).collect();
    assert!(!rows.is_empty(), "{PAGE} has no table `| from | to | methods |` under `{HEADING}`");
    rows
}

fn row(line: usize, text: &str) -> Row {
    let place = format!("{PAGE}:{line}");
    let cells: Vec<&str> = text.trim().trim_matches('|').split('|').collect();
    let [from, to, methods, ..] = cells.as_slice() else { panic!("{place}: a row is `| from | to | methods |`") };
    let to = named(&place, to);
    let from = named(&place, from);
    let edges = from.iter().flat_map(|from| to.iter().map(move |to| (from.clone(), to.clone())));
    // What is no name of a method is prose: "open methods".
    let methods = methods.split(',').map(|name| name.trim().trim_matches('`')).filter(|name| is_method(name));
    Row { edges: edges.filter(|(from, to)| from != to).collect(), methods: methods.map(str::to_owned).collect(), place }
}

fn is_method(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Returns the services of a cell.
fn named(place: &str, cell: &str) -> Vec<String> {
    let services = tree::services();
    let names = cell.split(',').map(|name| name.trim().trim_matches('`'));
    let named = names.flat_map(|name| match name {
        EVERYBODY => services.clone(),
        name => {
            assert!(services.iter().any(|service| service == name), "{place}: there is no service `{name}`");
            vec![name.to_owned()]
        }
    });
    named.collect()
}

/// Returns every edge that the code has, and where.
fn found() -> BTreeMap<Edge, String> {
    let services = tree::services();
    let mut found = BTreeMap::new();
    let mut add = |from: &String, (to, place): &(String, String)| {
        if from != to {
            found.entry((from.clone(), to.clone())).or_insert_with(|| place.clone());
        }
    };
    for service in &services {
        let own = tree::sources(&format!("services/{service}/src"));
        for target in own.iter().flat_map(targets) {
            add(service, &target);
        }
    }
    let everybody: Vec<(String, String)> =
        FOR_EVERYBODY.iter().flat_map(|src| tree::sources(src)).flat_map(|source| targets(&source)).collect();
    for service in &services {
        for target in &everybody {
            add(service, target);
        }
    }
    found
}

/// Returns whom a file calls: whose generated client it names, and to whom it asks for a channel.
fn targets(source: &Source) -> Vec<(String, String)> {
    let mut targets: Vec<(String, String)> = Vec::new();
    for (client, service) in CLIENTS {
        let used = source.uses(client).filter(|offset| !source.is_test(*offset));
        targets.extend(used.map(|offset| (service.to_owned(), source.place(offset))));
    }
    let services = tree::services();
    for (offset, text) in source.strings_in(&(0..source.text.len())) {
        let asks = source.code[..offset].ends_with("channel(\"") || in_list_of_upstreams(source, offset);
        if asks && !source.is_test(offset) && services.iter().any(|service| service == text) {
            targets.push((text.to_owned(), source.place(offset)));
        }
    }
    targets
}

/// Says whether a string stands in `const UPSTREAMS`, from which the gateway makes its channels.
fn in_list_of_upstreams(source: &Source, offset: usize) -> bool {
    let list = source.code[..offset].rfind("const UPSTREAMS");
    list.is_some_and(|start| {
        let item = &source.code[start..offset];
        item.split_once('=').is_some_and(|(_, list)| !list.contains(';'))
    })
}

fn is_client(source: &Source) -> bool {
    source.path.ends_with("/src/clients.rs") || source.path.contains("/src/clients/")
}

/// Says whether a service calls a method, itself or through what all services have in common.
fn calls(service: &str, method: &str) -> bool {
    let own = format!("services/{service}/src");
    let places = std::iter::once(own.as_str()).chain(FOR_EVERYBODY);
    places.flat_map(tree::sources).any(|source| calls_in(&source, method).next().is_some())
}

fn calls_in<'a>(source: &'a Source, method: &str) -> impl Iterator<Item = usize> + 'a {
    let name = snake(method);
    let found: Vec<usize> = source.uses(&name).collect();
    found.into_iter().filter(move |offset| {
        let (before, after) = (&source.code[..*offset], &source.code[offset + name.len()..]);
        before.ends_with('.') && after.starts_with('(') && !source.is_test(*offset)
    })
}

/// Returns the methods of all services, as the `.proto` files name them.
fn methods() -> BTreeSet<String> {
    let texts: Vec<String> = tree::files("proto/taskman", "proto").iter().map(|path| tree::read(path)).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let names = lines.filter_map(|line| line.trim().strip_prefix("rpc ")?.split(['(', ' ']).next());
    names.map(str::to_owned).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
