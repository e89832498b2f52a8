//! The life of one server: taken directory, kept ports, start, kill, pause, restart, stop.

use std::{
    fs::File,
    future::Future,
    marker::PhantomData,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::{
    fs,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{
    error::{Error, Result, Trying},
    lock::OwnedDir,
    ports::{self, Ports},
    process::{Process, tree},
};

/// Longest start: an Erlang machine on a loaded computer, or PostgreSQL reading its log after a kill.
const START: Duration = Duration::from_secs(90);
/// Longest clean stop before the server is killed.
const STOP: Duration = Duration::from_secs(20);
/// Between two looks at something that is about to happen.
const POLL: Duration = Duration::from_millis(20);
/// How often a start is tried with new ports when somebody else took the chosen ones meanwhile.
const ATTEMPTS: usize = 3;

/// What a server's data are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// For development: data outlive the server and a crash of the machine; stops are clean.
    #[default]
    Dev,
    /// For tests: nothing is synced to disk, stops are quick, a start begins with empty servers (a restart keeps the data).
    Test,
}

/// Where one server lives.
#[derive(Debug)]
pub struct Site {
    /// The server's absolute directory; its data are in `data` below.
    pub dir: PathBuf,
    /// What the data are worth.
    pub profile: Profile,
    /// Its ports on 127.0.0.1, the one clients use first.
    pub ports: Vec<u16>,
}

/// One process of a server.
#[derive(Debug)]
pub struct Launch {
    /// How to start it.
    pub command: Command,
    /// The port on which it shows that it is there.
    pub port: u16,
}

/// What differs between servers; [`Server`] holds what they share.
pub trait Recipe: Send + Sync + 'static {
    /// The server's name, also of its log file.
    const NAME: &'static str;
    /// The number of ports it needs.
    const PORTS: usize;
    /// The signal to its last process that means: end cleanly.
    const STOP: Signal;
    /// Whether a clean stop costs seconds, so that tests kill instead.
    const SLOW_STOP: bool = false;
    /// What a client may say at once on the first port, and how the answer of a server that is ready begins.
    const PROBE: (&'static [u8], &'static [u8]);

    /// Writes the configuration, and the first data where there are none.
    fn prepare(site: &Site) -> impl Future<Output = Result<()>> + Send;

    /// Returns the processes in the order of their start; the last one is the server.
    fn launches(site: &Site) -> Result<Vec<Launch>>;
}

/// A server that runs as a child of this process; dropping it kills it.
#[derive(Debug)]
pub struct Server<R: Recipe> {
    site: Site,
    processes: Vec<Process>,
    // Below the processes: fields are dropped in order, and both outlive the server.
    ports: Ports,
    _dir: OwnedDir,
    recipe: PhantomData<R>,
}

impl<R: Recipe> Server<R> {
    /// Starts the server in `dir`, with the ports and (in [`Profile::Dev`]) the data it had there before.
    ///
    /// What a killed owner left behind in `dir` is ended first.
    ///
    /// # Errors
    /// [`Error::InUse`] while a living process owns `dir`; [`Error::Missing`], [`Error::NotStarted`] and
    /// [`Error::Io`] with the reason and the end of the log.
    pub async fn start(dir: impl AsRef<Path>, profile: Profile) -> Result<Self> {
        let dir = OwnedDir::take(dir.as_ref())?;
        end_leftovers(dir.path()).await;
        let ready = dir.path().join("data/ready");
        if profile == Profile::Test || !ready.exists() {
            remove_dir(&dir.path().join("data")).await?; // without the mark: a first start that was cut short
        }
        let ports = Ports::take(&dir.path().join("ports.json"), R::PORTS)?;
        let site = Site { dir: dir.path().to_owned(), profile, ports: ports.numbers().to_vec() };
        let mut server = Self { site, processes: Vec::new(), ports, _dir: dir, recipe: PhantomData };
        for attempt in 1.. {
            fs::create_dir_all(server.site.dir.join("data")).await.trying(|| format!("create data of {}", R::NAME))?;
            R::prepare(&server.site).await?;
            match server.launch().await {
                Ok(()) => break,
                Err(error) if attempt >= ATTEMPTS || server.site.ports.iter().all(|port| ports::is_free(*port)) => {
                    return Err(error);
                }
                Err(_) => server.take_other_ports()?,
            }
        }
        fs::write(&ready, b"").await.trying(|| format!("write {}", ready.display()))?;
        tracing::debug!(server.name = R::NAME, server.port = server.port(), "server started");
        Ok(server)
    }

    /// Returns the port that clients use.
    pub fn port(&self) -> u16 {
        self.site.ports[0]
    }

    /// Returns where the server lives.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Returns the process ids of the server's own processes, not of those below them.
    pub fn process_ids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Tells whether every process of the server runs; a paused one does.
    pub fn is_running(&self) -> bool {
        !self.processes.is_empty() && self.processes.iter().all(Process::is_running)
    }

    /// Tells whether the server answers a client within a second.
    pub async fn answers(&self) -> bool {
        timeout(Duration::from_secs(1), probe::<R>(self.port())).await.unwrap_or(false)
    }

    /// Cuts the server's power: SIGKILL to all its processes at once.
    pub async fn kill(&mut self) {
        for process in self.processes.iter().rev() {
            process.kill().await;
        }
        self.processes.clear();
    }

    /// Freezes the server: connections stay open, new ones are accepted by the kernel, nothing answers.
    pub fn pause(&self) {
        self.processes.iter().rev().for_each(Process::pause);
    }

    /// Lets a paused server run on.
    pub fn resume(&self) {
        self.processes.iter().for_each(Process::resume);
    }

    /// Starts the server again on the same ports and data, after a stop if it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.launch().await
    }

    /// Stops the server cleanly; in [`Profile::Test`] it is killed where a clean stop takes seconds.
    pub async fn stop(&mut self) -> Result<()> {
        let kill = R::SLOW_STOP && self.site.profile == Profile::Test;
        if let (false, Some(main)) = (kill, self.processes.last()) {
            main.resume(); // a paused process hears only SIGKILL
            main.signal(R::STOP);
            if !main.ends_within(STOP).await {
                tracing::warn!(server.name = R::NAME, "server did not stop in time and is killed");
            }
        }
        self.kill().await;
        end_leftovers(&self.site.dir).await;
        Ok(())
    }

    async fn launch(&mut self) -> Result<()> {
        let outcome = self.launch_all().await;
        if outcome.is_err() {
            self.kill().await;
            end_leftovers(&self.site.dir).await;
        }
        outcome
    }

    async fn launch_all(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        let log = self.log_file();
        let output = File::create(&log).trying(|| format!("create {}", log.display()))?;
        for launch in R::launches(&self.site)? {
            let mut command = launch.command;
            let copies = output.try_clone().and_then(|out| Ok((out, output.try_clone()?)));
            let (out, err) = copies.trying(|| format!("use {}", log.display()))?;
            self.processes.push(Process::spawn({
                command.stdout(out).stderr(err);
                command
            })?);
            self.until(deadline, async || TcpStream::connect((Ipv4Addr::LOCALHOST, launch.port)).await.is_ok()).await?;
        }
        let port = self.port();
        self.until(deadline, async || probe::<R>(port).await).await
    }

    /// Waits until `ready` is true, a process has ended, or the deadline is over.
    async fn until(&self, deadline: Instant, ready: impl AsyncFn() -> bool) -> Result<()> {
        loop {
            let look = Duration::from_secs(2); // a server that accepts and never answers is looked at again
            let is_ready = timeout(look, ready()).await.unwrap_or(false);
            if let Some(ended) = self.processes.iter().find(|process| !process.is_running()) {
                return Err(self.not_started(ended.wait().await.to_string()).await);
            }
            if is_ready {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.not_started(format!("no answer within {} s", START.as_secs())).await);
            }
            sleep(POLL).await;
        }
    }

    fn take_other_ports(&mut self) -> Result<()> {
        self.ports = Ports::take(&self.site.dir.join("ports.json"), R::PORTS)?;
        self.site.ports = self.ports.numbers().to_vec();
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.site.dir.join(format!("{}.log", R::NAME))
    }

    async fn not_started(&self, reason: String) -> Error {
        let log = fs::read(self.log_file()).await.unwrap_or_default();
        Error::NotStarted { server: R::NAME, reason, log: last_lines(&log, 20) }
    }
}

/// Runs a command of a server's preparation to its end.
pub(crate) async fn run_to_end(server: &'static str, log: &Path, mut command: Command) -> Result<()> {
    let output = File::create(log).trying(|| format!("create {}", log.display()))?;
    let errors = output.try_clone().trying(|| format!("use {}", log.display()))?;
    command.stdout(output).stderr(errors);
    let status = Process::spawn(command)?.wait().await;
    if status.success() {
        return Ok(());
    }
    let log = fs::read(log).await.unwrap_or_default();
    Err(Error::NotStarted { server, reason: format!("preparation failed: {status}"), log: last_lines(&log, 20) })
}

/// Ends the servers that work in `dir` although nobody owns them any more.
pub(crate) async fn end_leftovers(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left = tree::working_in(dir);
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        tracing::debug!(processes = left.len(), "ending servers that lost their owner");
        for entry in &left {
            entry.signal(Signal::KILL);
        }
        tree::vanish(&left, deadline).await;
    }
}

async fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).trying(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

async fn probe<R: Recipe>(port: u16) -> bool {
    let (question, answer) = R::PROBE;
    let exchange = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(question).await?;
        let mut reply = vec![0; answer.len()];
        stream.read_exact(&mut reply).await?;
        std::io::Result::Ok(reply == answer)
    };
    exchange.await.unwrap_or(false)
}

fn last_lines(log: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
