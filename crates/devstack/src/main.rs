//! `devstack`: runs a private stack in the foreground, or around one command.

use std::{
    io::{self, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use taskman_devstack::{Options, Process, Profile, STACK_VARIABLE, Stack, StackStatus, status};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Private PostgreSQL, Redis, RabbitMQ and mail catcher on 127.0.0.1, for development and tests.
#[derive(Debug, Parser)]
#[command(name = "devstack", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a stack until Ctrl-C or SIGTERM and prints where its servers are.
    Up {
        /// The state directory.
        #[arg(long, default_value = ".dev/stack")]
        dir: PathBuf,
        /// Whether data are kept (dev) or thrown away (test).
        #[arg(long, value_enum, default_value_t = ProfileName::Dev)]
        profile: ProfileName,
    },
    /// Runs a command with a stack around it and exits with the command's code.
    Exec {
        /// The state directory; a temporary one where not given.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Whether data are kept (dev) or thrown away (test).
        #[arg(long, value_enum, default_value_t = ProfileName::Test)]
        profile: ProfileName,
        /// The command and its arguments; TASKMAN_STACK names the file with the servers' addresses.
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Tells whether a stack runs (exit code 0) or not (3), and where its servers are.
    Status {
        /// The state directory.
        #[arg(long, default_value = ".dev/stack")]
        dir: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    Dev,
    Test,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Dev => Self::Dev,
            ProfileName::Test => Self::Test,
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Up { dir, profile } => up(Options { dir, profile: profile.into() }).await,
        Command::Exec { dir, profile, command } => exec(dir, profile.into(), &command).await,
        Command::Status { dir } => report(&dir),
    };
    outcome.unwrap_or_else(|error| {
        _ = writeln!(io::stderr(), "devstack: {error}");
        ExitCode::FAILURE
    })
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

async fn up(options: Options) -> Outcome {
    let mut signals = Signals::listen()?;
    let stack = tokio::select! {
        started = Stack::start(options) => started?,
        _ = signals.next() => return Ok(ExitCode::FAILURE), // the servers end with the dropped start
    };
    let mut out = io::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(stack.endpoints())?)?;
    writeln!(out, "up; {STACK_VARIABLE}={}", stack.endpoints_file().display())?;
    out.flush()?;
    signals.next().await;
    tokio::select! {
        stopped = stack.stop() => stopped?,
        _ = signals.next() => {} // asked twice: no clean stop
    }
    Ok(ExitCode::SUCCESS)
}

async fn exec(dir: Option<PathBuf>, profile: Profile, words: &[std::ffi::OsString]) -> Outcome {
    let mut signals = Signals::listen()?;
    let temporary = match dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("taskman-stack-").tempdir()?),
    };
    let dir = dir.or_else(|| temporary.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
    let stack = tokio::select! {
        started = Stack::start(Options { dir, profile }) => started?,
        _ = signals.next() => return Ok(ExitCode::FAILURE),
    };
    let status = run(words, &stack.endpoints_file(), &mut signals).await;
    stack.stop().await?;
    drop(temporary);
    Ok(exit_code(status?))
}

/// Runs the command to its end; when we are asked to end, it is asked too, and killed if it does not hear.
async fn run(
    words: &[std::ffi::OsString],
    endpoints: &Path,
    signals: &mut Signals,
) -> Result<ExitStatus, Box<dyn std::error::Error>> {
    let Some((program, arguments)) = words.split_first() else { return Err("no command".into()) };
    let mut command = Process::command(program);
    command.args(arguments).env(STACK_VARIABLE, endpoints);
    let child = Process::spawn(command)?;
    tokio::select! {
        status = child.wait() => return Ok(status),
        asked = signals.next() => {
            // The terminal's Ctrl-C has reached the command by itself; SIGTERM has not.
            let patience = if asked == Asked::Interrupt { Duration::from_secs(3) } else { Duration::ZERO };
            if !child.ends_within(patience).await {
                child.terminate();
            }
        }
    }
    tokio::select! {
        status = child.wait() => Ok(status),
        () = tokio::time::sleep(Duration::from_secs(10)) => Ok(ExitStatus::from_raw(9)),
        _ = signals.next() => Ok(ExitStatus::from_raw(9)), // dropping the child kills it
    }
}

fn report(dir: &Path) -> Outcome {
    let mut out = io::stdout();
    match status(dir) {
        StackStatus::Up(endpoints) => {
            writeln!(out, "{}", serde_json::to_string_pretty(&endpoints)?)?;
            Ok(ExitCode::SUCCESS)
        }
        StackStatus::Changing => {
            writeln!(out, "starting or stopping")?;
            Ok(ExitCode::from(3))
        }
        StackStatus::Down => {
            writeln!(out, "down")?;
            Ok(ExitCode::from(3))
        }
    }
}

/// The shell's convention: a command that died of signal N gives 128 + N.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Interrupt,
    Terminate,
}

/// The ways in which a person or a supervisor asks us to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.hangup.recv() => Asked::Terminate,
        }
    }
}
