//! The servers for real: started, killed, frozen, restarted, stopped, and nothing left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod command;
mod mail;
mod servers;
mod stacks;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// Returns a directory that goes with the value.
fn directory() -> TempDir {
    tempfile::Builder::new().prefix("devstack-test-").tempdir().unwrap()
}

/// Returns the ids of the living processes that work in `dir` or name it on their command line.
fn processes_in(dir: &Path) -> Vec<i32> {
    let dir = dir.canonicalize().unwrap();
    let text = dir.to_str().unwrap();
    let of = |pid: i32| {
        let proc = format!("/proc/{pid}");
        let stat = fs::read_to_string(format!("{proc}/stat")).ok()?;
        let is_zombie = stat.rsplit_once(") ")?.1.starts_with('Z');
        let works = fs::read_link(format!("{proc}/cwd")).is_ok_and(|cwd| cwd.starts_with(&dir));
        let names = fs::read(format!("{proc}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text));
        ((works || names) && !is_zombie).then_some(pid)
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(of)
        .collect()
}

fn assert_nothing_runs_in(dir: &Path) {
    assert_eq!(processes_in(dir), Vec::<i32>::new());
}

/// Waits until `fact` is true; fails after a minute.
async fn until(what: &str, fact: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !fact().await {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn sql(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

async fn count(url: &str, query: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}
