//! Processes of their own that start and then do nothing: how long until they are ready, how much memory they hold.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use taskman_devstack::Process;

use crate::keys::SERVICES;

/// How long a process may take until it is ready.
const START: Duration = Duration::from_mins(1);
/// How long a process may take to end after SIGTERM.
const END: Duration = Duration::from_secs(40);
/// How long a ready process is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);
/// How often a starting process is looked at; the times are as exact as that.
const LOOK: Duration = Duration::from_millis(5);
/// What stands before a service's admin address in what `taskman up` prints.
const ADMIN: &str = "health and metrics ";

/// What a process took to start, and holds at rest.
#[derive(Debug, Clone)]
pub struct Idle {
    /// What runs in it.
    pub name: String,
    /// Whether it is a whole fleet.
    pub fleet: bool,
    /// From its start, with the stores running, until each of its services says that it is ready.
    pub ready_after: Duration,
    /// The bytes in memory.
    pub resident: u64,
    /// Those among them that are not pages of a file: heap and stacks.
    pub anonymous: u64,
}

/// Measures the whole fleet on empty stores, the whole fleet again, and each service alone, one after the other.
///
/// The keys of the fleet stay in `folder` as `keys.json`.
pub async fn measure(stores: &Path, folder: &Path) -> anyhow::Result<Vec<Idle>> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let fleets = [("the fleet, on empty stores".to_owned(), None), ("the fleet, started again".to_owned(), None)];
    let alone = SERVICES.map(|service| (format!("{service} alone"), Some(service)));
    let mut measured = Vec::new();
    for (name, only) in fleets.into_iter().chain(alone) {
        let idle = measure_one(name.clone(), only, &http, stores, folder).await.context(name)?;
        measured.push(idle);
    }
    Ok(measured)
}

async fn measure_one(
    name: String,
    only: Option<&'static str>,
    http: &reqwest::Client,
    stores: &Path,
    folder: &Path,
) -> anyhow::Result<Idle> {
    let said = folder.join("up.log");
    let command = command(only, stores, folder, &said)?;
    let started = Instant::now();
    let child = Child { process: Process::spawn(command)?, said };
    child.ready(only.map_or(SERVICES.len(), |_| 1), http, started).await?;
    let ready_after = started.elapsed();
    tokio::time::sleep(SETTLE).await;
    let (resident, anonymous) = memory(child.process.id())?;
    child.process.terminate();
    ensure!(child.process.ends_within(END).await, "it does not end after SIGTERM");
    Ok(Idle { name, fleet: only.is_none(), ready_after, resident, anonymous })
}

/// Builds `taskman up` as anybody would start it: what configures the bench is not handed on.
fn command(only: Option<&str>, stores: &Path, folder: &Path, said: &Path) -> anyhow::Result<std::process::Command> {
    let out = File::create(said)?;
    let mut command = Process::command(std::env::current_exe()?);
    command.arg("up").arg("--dir").arg(folder).arg("--stores").arg(stores);
    if let Some(service) = only {
        command.args(["--only", service]);
    }
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TASKMAN__")) {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
    command.process_group(0); // Ctrl-C reaches the bench, which then ends the child
    Ok(command)
}

struct Child {
    process: Process,
    said: PathBuf,
}

impl Child {
    /// Waits until so many services have told where they are, and each of them says that it is ready.
    async fn ready(&self, services: usize, http: &reqwest::Client, started: Instant) -> anyhow::Result<()> {
        let mut waiting: Option<Vec<SocketAddr>> = None;
        loop {
            match &mut waiting {
                None => waiting = Some(self.admin_addresses()?).filter(|known| known.len() == services),
                Some(addresses) => {
                    while let Some(address) = addresses.last() {
                        if !is_ready(http, *address).await {
                            break;
                        }
                        addresses.pop();
                    }
                    if addresses.is_empty() {
                        return Ok(());
                    }
                }
            }
            let said = || std::fs::read_to_string(&self.said).unwrap_or_default();
            ensure!(self.process.is_running(), "it ended by itself and said: {}", said());
            ensure!(started.elapsed() < START, "it is not ready after {START:?} and said: {}", said());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn admin_addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let said = std::fs::read_to_string(&self.said)?;
        Ok(admin_addresses(&said))
    }
}

/// Finds the admin addresses; a line that is not whole yet does not count.
fn admin_addresses(said: &str) -> Vec<SocketAddr> {
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let addresses = whole.lines().filter_map(|line| line.split_once(ADMIN)?.1.trim().parse().ok());
    addresses.collect()
}

async fn is_ready(http: &reqwest::Client, address: SocketAddr) -> bool {
    let answer = http.get(format!("http://{address}/health/ready")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Reads how many bytes of a process are in memory, and how many of them are not pages of a file.
fn memory(process: u32) -> anyhow::Result<(u64, u64)> {
    let file = format!("/proc/{process}/smaps_rollup");
    let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    let bytes = |name| kibibytes(&text, name).map(|kibibytes| kibibytes * 1_024).with_context(|| file.clone());
    Ok((bytes("Rss:")?, bytes("Anonymous:")?))
}

fn kibibytes(rollup: &str, name: &str) -> Option<u64> {
    let rest = rollup.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_once_its_line_is_whole() {
        let line = "  task            127.0.0.1:50055   health and metrics 127.0.0.1:51055";
        assert!(admin_addresses(line).is_empty());
        assert_eq!(admin_addresses(&format!("{line}\n  user")), ["127.0.0.1:51055".parse().unwrap()]);
    }

    #[test]
    fn memory_is_read_by_its_whole_name() {
        let rollup =
            "5f-7f ---p 00000000 00:00 0 [rollup]\nRss:      7012 kB\nPss_Anon:   9 kB\nAnonymous:     1536 kB\n";
        assert_eq!((kibibytes(rollup, "Rss:"), kibibytes(rollup, "Anonymous:")), (Some(7012), Some(1536)));
        assert_eq!(kibibytes(rollup, "Swap:"), None);
    }

    #[test]
    fn a_process_at_work_has_memory() {
        let (resident, anonymous) = memory(std::process::id()).unwrap();
        assert!(anonymous > 0 && resident >= anonymous);
    }
}
