//! Finds the servers' programs and builds commands that end with this process.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::error::{Error, Result};

/// Returns the path of `name`, looked for in `folders` first, then in PATH and where distributions hide servers.
pub(crate) fn find(name: &'static str, folders: impl IntoIterator<Item = PathBuf>) -> Result<PathBuf> {
    let usual = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"].map(PathBuf::from);
    folders
        .into_iter()
        .chain(env::split_paths(&search_path()))
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or(Error::Missing(name))
}

/// Returns the folders `parent/*/tail` that exist, greatest version first.
pub(crate) fn versions(parent: &str, tail: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (major(&entry.file_name()), entry.path().join(tail)))
        .filter(|(_, folder)| folder.is_dir())
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Builds a command for a server: no input, an environment of its own, out of the terminal's reach, dead with its parent.
///
/// `prefix` is a program that changes who runs the server, as `unshare` does.
pub(crate) fn server_command(prefix: &[&str], program: &Path, workdir: &Path) -> Command {
    let mut command = tied_command(prefix, program.as_os_str());
    command
        .env_clear()
        .env("PATH", search_path())
        .env("LANG", "C.UTF-8")
        .current_dir(workdir)
        .stdin(Stdio::null())
        .process_group(0); // Ctrl-C reaches the owner, which then stops the server properly
    command
}

/// Builds a command whose process the kernel kills when the thread that starts it ends.
///
/// The wish is made last, after `prefix` changed the user: a change of credentials clears it.
pub(crate) fn tied_command(prefix: &[&str], program: &OsStr) -> Command {
    const TIED: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];
    let mut words: Vec<&OsStr> = prefix.iter().map(OsStr::new).collect();
    if works(&[&TIED[..], &["true"]].concat()) {
        words.extend(TIED.map(OsStr::new));
    }
    words.push(program);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Tells whether a harmless command succeeds on this machine.
pub(crate) fn works(words: &[&str]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "where programs lie is the machine's word, not our configuration")]
fn search_path() -> std::ffi::OsString {
    env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// Reads the number at the end of `15` or `rabbitmq_server-3.10.8` far enough to order majors; names without one sort last.
fn major(name: &OsStr) -> u32 {
    let name = name.to_string_lossy();
    let digits = name.rsplit(['-', '_']).next().unwrap_or_default();
    digits.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0)
}
