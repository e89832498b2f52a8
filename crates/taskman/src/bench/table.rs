//! The tables that are printed.

use std::time::Duration;

use super::idle::Idle;
use super::load::{Measured, Plan};

/// What the fleet in one process is to hold at rest at most, in bytes.
const FLEET_MEMORY: u64 = 150_000_000;
/// What a service alone is to hold at rest at most, in bytes.
const SERVICE_MEMORY: u64 = 40_000_000;
/// How soon the fleet is to be ready.
const FLEET_READY: Duration = Duration::from_secs(2);

/// One operation under one load.
#[derive(Debug, Clone)]
pub struct Row {
    /// The operation.
    pub name: &'static str,
    /// The load.
    pub plan: Plan,
    /// What came of it.
    pub measured: Measured,
    /// How many requests each second the bare echo answered under the same load, measured just before and after.
    pub echo_per_second: f64,
}

/// Prints what processes hold at rest and how soon they were ready, beside the goals.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub fn print_idle(rows: &[Idle]) {
    println!("\nAt rest, each in a process of its own (binary `taskman`; heap: what is not read from files)\n");
    println!("  {:<28} {:>10} {:>10} {:>8}   {:>11} {:>6}", "", "memory MB", "heap MB", "goal", "ready after", "goal");
    for row in rows {
        let (memory, ready) = if row.fleet {
            (FLEET_MEMORY, format!("{} s", FLEET_READY.as_secs()))
        } else {
            (SERVICE_MEMORY, String::new())
        };
        println!(
            "  {:<28} {:>10.1} {:>10.1} {:>8.0}   {:>9.2} s {:>6}",
            row.name,
            megabytes(row.resident),
            megabytes(row.anonymous),
            megabytes(memory),
            row.ready_after.as_secs_f64(),
            ready
        );
    }
}

/// Prints what requests cost.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub fn print_load(rows: &[Row]) {
    println!(
        "\nRequests, beside a bare tonic echo under the same load just before and after (the ratio is what counts)\n"
    );
    println!(
        "  {:<28} {:>7} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "", "at once", "requests", "failed", "req/s", "p50 ms", "p99 ms", "of echo", "cost, echoes"
    );
    for row in rows {
        let ratio = row.measured.per_second() / row.echo_per_second;
        println!(
            "  {:<28} {:>7} {:>9} {:>7} {:>9.0} {:>9.2} {:>9.2} {:>8.1}% {:>12.1}",
            row.name,
            row.plan.concurrency,
            row.measured.succeeded(),
            row.measured.failed,
            row.measured.per_second(),
            milliseconds(row.measured.percentile(50)),
            milliseconds(row.measured.percentile(99)),
            ratio * 100.0,
            1.0 / ratio
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a process has far fewer bytes than that")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
