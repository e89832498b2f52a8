//! A technology is known by one crate: `deny.toml` says by which, here it is held without cargo-deny.

use std::collections::{BTreeMap, BTreeSet};

use super::manifests::cargo;
use super::report::Report;
use super::tree;

/// An entry of `[bans] deny`.
struct Ban {
    place: String,
    name: String,
    wrappers: BTreeSet<String>,
}

#[test]
fn a_technology_is_used_only_by_those_that_deny_toml_names() {
    let mut report = Report::default();
    let parents = parents();
    let bans = bans(&tree::read("deny.toml"));
    for technology in ["lapin", "redis", "cel", "jsonwebtoken", "axum", "ring", "openssl", "native-tls"] {
        report.check(bans.iter().any(|ban| ban.name == technology), "deny.toml", format!("{technology} is missing"));
    }
    for ban in bans {
        let none = BTreeSet::new();
        let parents = parents.get(&ban.name).unwrap_or(&none);
        for parent in parents.difference(&ban.wrappers) {
            report.add(&ban.place, format!("{parent} uses {}, and is not among those that may", ban.name));
        }
        for idle in ban.wrappers.difference(parents) {
            report.add(&ban.place, format!("{idle} does not use {} any more: remove it", ban.name));
        }
    }
    report.finish();
}

/// Reads the bans; each stands on a line of its own.
fn bans(text: &str) -> Vec<Ban> {
    let list = text.lines().enumerate().skip_while(|(_, line)| !line.starts_with("deny = [")).skip(1);
    let list = list.take_while(|(_, line)| *line != "]").filter(|(_, line)| line.trim_start().starts_with('{'));
    let bans = list.map(|(index, line)| {
        let rest = line.split_once("crate = ").map(|(_, rest)| rest);
        let name = rest.and_then(|rest| rest.split('"').nth(1)).expect("a ban names its crate");
        let wrappers = line.split_once("wrappers = [").and_then(|(_, rest)| rest.split(']').next()).unwrap_or_default();
        Ban {
            place: format!("deny.toml:{}", index + 1),
            name: name.to_owned(),
            wrappers: wrappers.split('"').skip(1).step_by(2).map(str::to_owned).collect(),
        }
    });
    bans.collect()
}

/// Asks cargo which crates depend on which, tests included.
fn parents() -> BTreeMap<String, BTreeSet<String>> {
    let printed =
        cargo(&["tree", "--workspace", "--offline", "-e", "normal,build,dev", "--prefix", "depth", "--format", " {p}"]);
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut path: Vec<&str> = Vec::new();
    for line in printed.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let mut words = line.split(' ');
        let depth: usize = words.next().unwrap().parse().unwrap();
        let name = words.next().unwrap();
        path.truncate(depth);
        if let Some(parent) = path.last() {
            parents.entry(name.to_owned()).or_default().insert((*parent).to_owned());
        }
        path.push(name);
    }
    assert!(parents.len() > 100, "the output of `cargo tree` was not understood");
    parents
}
