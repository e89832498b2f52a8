//! The binary `taskman`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use taskman_taskman::command;

/// Runs and operates a TaskMan fleet.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the fleet, or some of its services, in this process until SIGINT or SIGTERM.
    Up(command::up::Arguments),
    /// Plays an afternoon of a company against a running fleet, and shows the events that it leaves.
    Demo(command::demo::Arguments),
    /// Measures a private fleet beside a bare echo: start, memory at rest, requests.
    Bench(command::bench::Arguments),
    /// Makes the keys that the services of a fleet share.
    Keys(command::keys::Arguments),
    /// Prints what the gateway offers: method, path, permission, limit, service.
    Routes,
}

fn main() -> ExitCode {
    let ran = match Arguments::parse().command {
        Command::Up(arguments) => command::up::run(arguments),
        Command::Demo(arguments) => command::demo::run(&arguments),
        Command::Bench(arguments) => command::bench::run(&arguments),
        Command::Keys(arguments) => command::keys::run(&arguments),
        Command::Routes => command::routes::run(),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command line tool says why it failed")]
fn report(error: &anyhow::Error) {
    eprintln!("taskman: {error:#}");
}
