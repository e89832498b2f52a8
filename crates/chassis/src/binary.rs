//! The whole of a service's own binary: arguments, configuration, run until told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, environment};
use crate::lifecycle::{Listeners, start};
use crate::process::{Process, install_crypto, install_telemetry};
use crate::service::Service;

/// A service of the TaskMan fleet. Configuration comes from the file and from `TASKMAN__…` variables.
#[derive(Debug, Parser)]
struct Arguments {
    /// A TOML file with the configuration.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Prints the configuration that would be used, without secrets, and ends.
    #[arg(long)]
    print_config: bool,
}

/// Runs the service `S` as a process until SIGTERM or SIGINT.
pub fn main<S: Service>() -> ExitCode {
    let arguments = Arguments::parse();
    match run::<S>(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report(S::NAME, &error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the configuration is what was asked for")]
fn run<S: Service>(arguments: &Arguments) -> anyhow::Result<bool> {
    let config: Config<S::Config> = Config::load(arguments.config.as_deref(), environment()?)?;
    if arguments.print_config {
        println!("{config:#?}");
        return Ok(true);
    }
    install_crypto();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve::<S>(config))
}

async fn serve<S: Service>(config: Config<S::Config>) -> anyhow::Result<bool> {
    let telemetry = install_telemetry(S::NAME, &config.telemetry)?;
    let metrics = telemetry.metrics();
    let process = Process::new(move |service| metrics.render_for(service));
    let listeners = Listeners::bind(S::NAME, &config.server).await?;
    let running = start::<S>(config, listeners, process).await?;
    told_to_stop().await?;
    let stopped = running.stop().await;
    telemetry.shutdown().await;
    Ok(stopped.in_time && stopped.panics == 0)
}

/// Waits for SIGTERM or SIGINT.
pub async fn told_to_stop() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn report(name: &str, error: &anyhow::Error) {
    eprintln!("{name}: {error:#}");
}
