//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Says whether there is such a file or folder.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// Returns the names of the folders in a folder, sorted.
pub(crate) fn folders(path: &str) -> Vec<String> {
    entries(path).into_iter().filter(|name| root().join(path).join(name).is_dir()).collect()
}

/// Returns the names of the services.
pub(crate) fn services() -> Vec<String> {
    folders("services")
}

/// Returns `crates/…` and `services/…`, one for each member.
pub(crate) fn members() -> Vec<String> {
    let under = |parent: &'static str| folders(parent).into_iter().map(move |name| format!("{parent}/{name}"));
    under("crates").chain(under("services")).collect()
}

/// Returns the paths of all files and folders below a folder, from the root and sorted; none if it is not there.
pub(crate) fn below(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in entries(path) {
        let child = format!("{path}/{name}");
        if root().join(&child).is_dir() {
            found.push(child.clone());
            found.extend(below(&child));
        } else {
            found.push(child);
        }
    }
    found
}

/// Returns the paths of the files below a folder whose names end with `.extension`.
pub(crate) fn files(path: &str, extension: &str) -> Vec<String> {
    let is_such = |path: &String| Path::new(path).extension().is_some_and(|own| own == extension);
    below(path).into_iter().filter(is_such).collect()
}

/// Reads every Rust file below a folder.
pub(crate) fn sources(path: &str) -> Vec<Source> {
    files(path, "rs").into_iter().map(|path| Source::new(read(&path), path)).collect()
}

/// Reads every Rust file in one folder of each member, such as `src`.
pub(crate) fn sources_of_members(folder: &str) -> Vec<Source> {
    members().iter().flat_map(|member| sources(&format!("{member}/{folder}"))).collect()
}

fn entries(path: &str) -> Vec<String> {
    let Ok(folder) = fs::read_dir(root().join(path)) else { return Vec::new() };
    let mut names: Vec<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().expect("file names are UTF-8")).collect();
    names.sort();
    names
}
