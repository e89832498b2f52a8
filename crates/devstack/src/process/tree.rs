//! The machine's processes as `/proc` shows them: who is below whom, and who works in a directory.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::time::{Instant, sleep};

/// The programs that servers of a stack consist of; nothing else in a state directory is ever ended.
const SERVERS: [&str; 8] =
    ["postgres", "initdb", "redis-server", "beam.smp", "epmd", "erl_child_setup", "erlexec", "inet_gethost"];

/// One process at one moment; `started` tells it from a later process with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pid: Pid,
    parent: i32,
    started: u64,
    zombie: bool,
    name: String,
}

impl Entry {
    /// Sends `signal`, unless the process is gone.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_live() {
            _ = kill_process(self.pid, signal); // gone in this moment is as good as signalled
        }
    }

    /// Tells whether the same process still runs; a zombie that nobody reaps does not.
    fn is_live(&self) -> bool {
        read(self.pid.as_raw_nonzero().get()).is_some_and(|now| now.started == self.started && !now.zombie)
    }
}

/// Returns the living children of `root`, their children, and so on.
pub(crate) fn below(root: Pid) -> Vec<Entry> {
    let mut rest = all();
    let mut found = Vec::new();
    let mut parents = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = parents.pop() {
        let (children, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|entry| entry.parent == parent);
        parents.extend(children.iter().map(|child| child.pid.as_raw_nonzero().get()));
        found.extend(children);
        rest = others;
    }
    found
}

/// Returns the server processes that work in `dir` (absolute) or name it on their command line.
pub(crate) fn working_in(dir: &Path) -> Vec<Entry> {
    let own = getpid();
    let text = dir.as_os_str().as_encoded_bytes();
    all()
        .into_iter()
        .filter(|entry| entry.pid != own && SERVERS.contains(&entry.name.as_str()))
        .filter(|entry| {
            let proc = format!("/proc/{}", entry.pid.as_raw_nonzero());
            fs::read_link(format!("{proc}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
                || fs::read(format!("{proc}/cmdline")).is_ok_and(|line| mentions(&line, text))
        })
        .collect()
}

/// Tells whether `pid` is a living process of the program `name`.
pub(crate) fn runs(pid: i32, name: &str) -> bool {
    read(pid).is_some_and(|entry| entry.name == name && !entry.zombie)
}

/// Waits until every one of `entries` is gone, at most until `deadline`.
pub(crate) async fn vanish(entries: &[Entry], deadline: Instant) {
    while entries.iter().any(Entry::is_live) && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
}

fn all() -> Vec<Entry> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .filter(|entry| !entry.zombie)
        .collect()
}

fn read(pid: i32) -> Option<Entry> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `pid (name) state ppid … starttime …`; the name may itself hold spaces and parentheses.
fn parse(pid: i32, stat: &str) -> Option<Entry> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    Some(Entry {
        pid: Pid::from_raw(pid)?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        name: name.to_owned(),
    })
}

/// Tells whether `line` holds `dir` as a whole path: `/a/b` is in `-D /a/b/data`, not in `-D /a/bc`.
fn mentions(line: &[u8], dir: &[u8]) -> bool {
    line.windows(dir.len()).enumerate().any(|(start, window)| {
        window == dir && matches!(line.get(start + dir.len()), None | Some(b'/' | b'\0' | b' ' | b'"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read() {
        let stat = "7 (a) b) S 3 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let entry = parse(7, stat).unwrap();
        assert_eq!((entry.name.as_str(), entry.parent, entry.started, entry.zombie), ("a) b", 3, 4242, false));
    }

    #[test]
    fn a_sibling_directory_is_not_mentioned() {
        assert!(mentions(b"postgres\0-D\0/a/b/data\0", b"/a/b"));
        assert!(!mentions(b"postgres\0-D\0/a/bc/data\0", b"/a/b"));
    }
}
