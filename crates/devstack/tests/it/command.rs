//! The binary.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use taskman_devstack::{Endpoints, Error, Postgres, Profile};

use crate::{assert_nothing_runs_in, count, directory, processes_in, sql, until};

fn devstack(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devstack"));
    command.arg(arguments[0]).arg("--dir").arg(dir).args(&arguments[1..]);
    command.stdin(Stdio::null());
    command
}

/// A child that does not outlive a failed test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[tokio::test]
async fn a_command_finds_the_stack_and_its_code_is_passed_on() {
    let dir = directory();
    let script = "grep -q postgres_url \"$TASKMAN_STACK\" && exit 42";
    let status = devstack(&["exec", "--", "sh", "-c", script], dir.path()).status().unwrap();
    assert_eq!(status.code(), Some(42));
    assert_nothing_runs_in(dir.path());
}

#[tokio::test]
async fn sigterm_ends_the_command_and_then_the_stack() {
    let dir = directory();
    let mark = dir.path().join("runs");
    let script = format!("touch {}; exec sleep 600", mark.display());
    let mut child = Running(devstack(&["exec", "--", "sh", "-c", &script], dir.path()).spawn().unwrap());
    until("the command runs", async || mark.exists()).await;
    signal(&child.0, Signal::TERM);
    assert_eq!(child.0.wait().unwrap().code(), Some(128 + 15));
    assert_nothing_runs_in(dir.path());
}

#[tokio::test]
async fn what_a_killed_owner_left_behind_is_ended_and_its_data_are_kept() {
    let dir = directory();
    let state = dir.path().join("stack");
    let output = fs::File::create(dir.path().join("up.log")).unwrap();
    let mut owner = Running(devstack(&["up"], &state).stdout(output).spawn().unwrap());
    let file = state.join("endpoints.json");
    until("the stack is up", async || Endpoints::read(&file).is_ok()).await;
    let url = Endpoints::read(&file).unwrap().postgres_url;
    sql(&url, "create table notes (id int); insert into notes values (1)").await;
    assert!(matches!(Postgres::start(state.join("postgres"), Profile::Dev).await, Err(Error::InUse(_))));

    // Frozen children cannot notice that their postmaster is gone: they stay, and hold its shared memory.
    let mut left = processes_in(&state.join("postgres"));
    left.retain(|pid| kill_process(Pid::from_raw(*pid).unwrap(), Signal::STOP).is_ok()); // workers come and go
    signal(&owner.0, Signal::KILL);
    owner.0.wait().unwrap();
    assert!(!processes_in(&state.join("postgres")).is_empty());
    until("the kernel ends the others", async || processes_in(&state.join("rabbitmq")).is_empty()).await;

    let postgres = Postgres::start(state.join("postgres"), Profile::Dev).await.unwrap();
    assert_eq!(postgres.url(), url);
    assert_eq!(count(&url, "select count(*) from notes").await, 1);
    assert!(left.iter().all(|pid| !processes_in(&state).contains(pid)));
}

#[tokio::test]
async fn the_status_of_an_unknown_directory_is_down() {
    let dir = directory();
    let output = devstack(&["status"], &dir.path().join("none")).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), b"down\n".as_slice()));
    assert!(!dir.path().join("none").exists());
}
