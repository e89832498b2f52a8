//! One child process with everything below it: started, signalled as a whole, waited for, never left behind.

use std::{
    ffi::OsStr,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid},
};
use tokio::{sync::watch, time::Instant};

use crate::{
    error::{Result, Trying},
    install,
};

pub(crate) mod tree;

/// How long a killed process may take to vanish before its owner goes on without it.
const VANISH: Duration = Duration::from_secs(10);

/// A running child; dropping it kills it and everything below it.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    reaped: Arc<Reaped>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// Whether the child is reaped; held while signalling, so that its pid cannot become somebody else's in between.
#[derive(Debug, Default)]
struct Reaped {
    done: Mutex<bool>,
    changed: Condvar,
}

impl Reaped {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts `command`.
    ///
    /// A thread of its own starts the child and waits for it, because the kernel ties a child to the *thread* that forked
    /// it: a thread of a pool could end early and take a healthy server along.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (started, start) = mpsc::channel();
        let (exited, exit) = watch::channel(None);
        let reaped = Arc::new(Reaped::default());
        let seen = Arc::clone(&reaped);
        thread::Builder::new()
            .name("devstack-child".to_owned())
            .spawn(move || {
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(refusal) => return drop(started.send(Err(refusal))),
                };
                let pid = Pid::from_child(&child);
                _ = started.send(Ok(pid));
                while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
                let mut reaped = seen.lock();
                let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0xff00));
                *reaped = true;
                exited.send_replace(Some(status));
                seen.changed.notify_all();
            })
            .trying(|| "start a thread".to_owned())?;
        let pid = start
            .recv()
            .map_err(std::io::Error::other)
            .and_then(|outcome| outcome)
            .trying(|| format!("start {name}"))?;
        Ok(Self { pid, reaped, exit })
    }

    /// Returns a command whose process is killed when this process ends in whatever way.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        install::tied_command(&[], program.as_ref())
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Tells whether the process has not ended.
    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits until the process has ended by itself.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::from_raw(0xff00), // its thread is gone, and the child with it
        }
    }

    /// Waits until the process has ended, for at most `limit`; tells whether it has.
    pub async fn ends_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.wait()).await.is_ok()
    }

    /// Asks the process to end (SIGTERM), not its children.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends `signal` to the process alone.
    pub(crate) fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock();
        if !*reaped {
            _ = kill_process(self.pid, signal); // gone already is as good as signalled
        }
    }

    /// Freezes the process and everything below it.
    pub(crate) fn pause(&self) {
        self.freeze();
    }

    /// Lets a frozen process and everything below it run on.
    pub(crate) fn resume(&self) {
        for below in tree::below(self.pid) {
            below.signal(Signal::CONT);
        }
        self.signal(Signal::CONT);
    }

    /// Kills the process and everything below it, and waits until all are gone.
    pub(crate) async fn kill(&self) {
        let below = self.kill_now();
        let deadline = Instant::now() + VANISH;
        _ = tokio::time::timeout_at(deadline, self.wait()).await;
        tree::vanish(&below, deadline).await;
    }

    /// Stops the process first, so that it can start no further child while its children are being found.
    fn freeze(&self) -> Vec<tree::Entry> {
        self.signal(Signal::STOP);
        let mut known = Vec::new();
        loop {
            let found = tree::below(self.pid);
            let fresh = found.len() > known.len();
            for entry in &found {
                entry.signal(Signal::STOP);
            }
            known = found;
            if !fresh {
                return known;
            }
        }
    }

    fn kill_now(&self) -> Vec<tree::Entry> {
        if !self.is_running() {
            return Vec::new();
        }
        let below = self.freeze();
        for entry in &below {
            entry.signal(Signal::KILL);
        }
        self.signal(Signal::KILL);
        below
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_now();
        let running = self.reaped.lock();
        drop(self.reaped.changed.wait_timeout_while(running, VANISH, |reaped| !*reaped));
    }
}
