//! Every crate is called like its folder and takes versions, lints and all that is alike from the workspace.

use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use super::report::Report;
use super::tree;

/// A member of the workspace.
pub(crate) struct Member {
    /// The folder: `crates/ids`, `services/iam-admin`.
    pub(crate) path: String,
    /// The name of the package.
    pub(crate) name: String,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency of a member.
pub(crate) struct Dependency {
    /// The name of the package.
    pub(crate) name: String,
    /// Whether only tests and benches have it.
    pub(crate) dev: bool,
    /// Whether a feature has to ask for it.
    pub(crate) optional: bool,
}

impl Member {
    /// Returns the last part of the folder.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// Returns the folders of the members that the crate is built with: what only tests have does not count.
    pub(crate) fn built_with(&self) -> impl Iterator<Item = &str> {
        let own = self.dependencies.iter().filter(|dependency| !dependency.dev);
        own.filter_map(|dependency| dependency.name.strip_prefix("taskman-"))
    }
}

/// Asks cargo for the members.
pub(crate) fn members() -> Vec<Member> {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let root = tree::root();
    let members = metadata["packages"].as_array().unwrap().iter().map(|package| Member {
        path: {
            let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
            manifest.parent().unwrap().strip_prefix(&root).unwrap().display().to_string()
        },
        name: package["name"].as_str().unwrap().to_owned(),
        dependencies: package["dependencies"].as_array().unwrap().iter().map(dependency).collect(),
    });
    members.collect()
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: value["name"].as_str().unwrap().to_owned(),
        dev: value["kind"] == "dev",
        optional: value["optional"] == true,
    }
}

/// Runs cargo in the repository and returns what it prints.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(tree::root()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_folder_of_crates_and_services_is_a_member_that_is_called_like_it() {
    let mut report = Report::default();
    let members = members();
    for member in &members {
        let expected = format!("taskman-{}", member.folder());
        let place = format!("{}/Cargo.toml", member.path);
        report.check(member.name == expected, place, format!("the package is {}, not {expected}", member.name));
    }
    for path in tree::members() {
        report.check(members.iter().any(|member| member.path == path), path, "is no member of the workspace");
    }
    report.finish();
}

#[test]
fn every_crate_inherits_from_the_workspace() {
    let mut report = Report::default();
    for path in tree::members() {
        let manifest = format!("{path}/Cargo.toml");
        let entries = entries(&tree::read(&manifest));
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            let inherits = entries
                .iter()
                .any(|entry| &*entry.section == "package" && entry.text == format!("{key}.workspace = true"));
            report.check(inherits, &manifest, format!("`{key}.workspace = true` is missing in [package]"));
        }
        let lints = entries.iter().any(|entry| &*entry.section == "lints" && entry.text == "workspace = true");
        report.check(lints, &manifest, "the lints of the workspace are not inherited");
        for entry in entries.iter().filter(|entry| entry.section.ends_with("dependencies")) {
            let inherits = entry.text.contains(".workspace = true") || entry.text.contains("{ workspace = true");
            let place = format!("{manifest}:{}", entry.line);
            report.check(inherits, place, format!("`{}` does not come from the workspace", entry.text));
        }
        for entry in entries.iter().filter(|entry| entry.section.contains("dependencies.")) {
            report.add(format!("{manifest}:{}", entry.line), "a dependency is one line: `name.workspace = true`");
        }
    }
    report.finish();
}

struct Entry {
    line: usize,
    section: Arc<str>,
    text: String,
}

/// Returns the lines of a manifest that say something, with the section they are in.
fn entries(manifest: &str) -> Vec<Entry> {
    let mut section: Arc<str> = "".into();
    let mut entries = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).into();
        } else if !line.is_empty() {
            entries.push(Entry { line: index + 1, section: section.clone(), text: line.to_owned() });
        }
    }
    entries
}
