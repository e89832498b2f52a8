//! `taskman bench`: measures a private fleet beside a bare echo in the same run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use taskman_chassis::config::TelemetryConfig;
use taskman_chassis::{Process, install_crypto, install_telemetry, told_to_stop};
use taskman_devstack::{Options as StackOptions, Profile, Stack};

use crate::bench::{Echo, Places, Plan, Row, Scene, measure_idle, print_idle, print_load, run_load, senders};
use crate::command::up;
use crate::fleet::{Fleet, Options, Ports};
use crate::keys::{FleetKeys, SERVICES};
use crate::story::Stage;

/// How long the fleet may take to be ready.
const START: Duration = Duration::from_mins(1);
/// So many times the requests are sent where more than one is under way.
const MORE: usize = 5;

/// What the fleet logs: only what goes wrong, lest the tables drown.
const LOG: &str = "error,opentelemetry=off,lapin::returned_messages=off,lapin::channels=off";

/// The arguments of `taskman bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder in which a folder for private servers is made; that one is removed in the end.
    #[arg(long, default_value = ".dev/bench")]
    dir: PathBuf,
    /// How many requests of each operation are sent one after the other; five times as many where more than one is under
    /// way at once. Each run ends after half a minute in any case.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// How many requests are under way at once, separated by commas; each is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64], value_parser = clap::value_parser!(u32).range(1..=128))]
    concurrency: Vec<u32>,
}

/// Measures and prints; only an error is a failure, a slow answer is not.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    install_crypto();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        tokio::select! {
            ended = Box::pin(bench(arguments)) => ended,
            told = told_to_stop() => {
                told?;
                bail!("stopped before the end")
            }
        }
    })
}

#[expect(clippy::print_stdout, reason = "a command line tool says what it does")]
async fn bench(arguments: &Arguments) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        println!(
            "This is a debug build: it shows that the bench works, and nothing else. `make bench` builds for speed."
        );
    }
    std::fs::create_dir_all(&arguments.dir).with_context(|| arguments.dir.display().to_string())?;
    // Declared before the servers, so that it is removed after they are gone, also when the bench is stopped.
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&arguments.dir)?;
    println!("Starting private servers in {} …", folder.path().display());
    let stack = Stack::start(StackOptions { dir: folder.path().join("stack"), profile: Profile::Test }).await?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("Absolute numbers are those of this machine ({cores} cores, which servers and clients share), now.");
    println!("Starting the fleet and each service alone …");
    print_idle(&measure_idle(&stack.endpoints_file(), folder.path()).await?);
    let rows = under_load(arguments, &stack, folder.path()).await;
    stack.stop().await?;
    folder.close()?;
    let failed = rows?.iter().find_map(|row| Some((row.name, row.measured.failed, row.measured.failure.clone()?)));
    if let Some((name, failed, failure)) = failed {
        bail!("{name}: {failed} requests failed, one of them with: {failure}");
    }
    Ok(())
}

/// Starts the fleet in this process, without limits, and sends it requests.
#[expect(clippy::print_stdout, reason = "a command line tool says what it does")]
async fn under_load(arguments: &Arguments, stack: &Stack, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let telemetry =
        install_telemetry("taskman", &TelemetryConfig { log: LOG.to_owned(), ..TelemetryConfig::default() })?;
    let metrics = telemetry.metrics();
    let process = Process::new(move |service| metrics.render_for(service));
    let options = Options {
        services: SERVICES.to_vec(),
        stores: up::stores(stack.endpoints()),
        keys: FleetKeys::load_or_generate(&folder.join("keys.json"))?,
        ports: Ports::Free,
        environment: vec![("TASKMAN__LIMITS__OFF".to_owned(), "true".to_owned())],
    };
    let started = Instant::now();
    let fleet = Fleet::start(&options, &process).await?;
    while !fleet.is_ready() {
        ensure!(started.elapsed() < START, "the fleet is not ready after {START:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("\nThe fleet in this process was ready {:.2} s after the stores.", started.elapsed().as_secs_f64());
    let rows = measure_load(arguments, &fleet, &stack.endpoints().mail_url).await;
    let orderly = fleet.stop().await;
    telemetry.shutdown().await;
    let rows = rows?;
    print_load(&rows);
    ensure!(orderly, "not everything ended in order");
    Ok(rows)
}

async fn measure_load(arguments: &Arguments, fleet: &Fleet, mail_url: &str) -> anyhow::Result<Vec<Row>> {
    let echo = Echo::start().await?;
    let address = |service| fleet.address(service).with_context(|| format!("{service} does not run"));
    let places = Places {
        echo: echo.address(),
        authorization: address("authorization")?,
        task: address("task")?,
        gateway: address("gateway")?,
    };
    let stage = Stage::new(&format!("http://{}", places.gateway), mail_url);
    let mut scene = Scene::set(stage).await?;
    let mut rows = Vec::new();
    for concurrency in &arguments.concurrency {
        let (concurrency, requests) = (usize::try_from(*concurrency)?, usize::try_from(arguments.requests)?);
        let requests = if concurrency == 1 { requests } else { requests * MORE };
        // A token lasts longer than one level of load takes.
        scene.log_in().await?;
        rows.extend(measure_level(&places, &scene, Plan { concurrency, requests }).await?);
    }
    Ok(rows)
}

/// Measures every operation under one load between two runs of the echo: what else the machine does hits both.
#[expect(clippy::print_stdout, reason = "a command line tool says what it does")]
async fn measure_level(places: &Places, scene: &Scene, plan: Plan) -> anyhow::Result<Vec<Row>> {
    let (echo, compared) = senders(places, scene)?;
    wait_until_settled(scene).await?;
    let mut echoes = run_load(&echo, plan).await;
    let mut before = echoes.per_second();
    let mut rows = Vec::new();
    for (name, sender) in compared {
        println!("Sending {name}, {} at once …", plan.concurrency);
        let measured = run_load(&sender, plan).await;
        wait_until_settled(scene).await?;
        let echoed = run_load(&echo, plan).await;
        let after = echoed.per_second();
        rows.push(Row { name, plan, measured, echo_per_second: f64::midpoint(before, after) });
        echoes.add(echoed);
        before = after;
    }
    let echo_per_second = echoes.per_second();
    rows.insert(0, Row { name: "bare tonic echo", plan, measured: echoes, echo_per_second });
    Ok(rows)
}

/// Waits until events of writes are through, lest the next operation pays for them.
#[expect(clippy::print_stdout, reason = "a command line tool says what it does")]
async fn wait_until_settled(scene: &Scene) -> anyhow::Result<()> {
    match scene.settled().await? {
        Some(after) if after < Duration::from_millis(250) => {}
        Some(after) => println!("The audit knew of the last task {:.1} s later.", after.as_secs_f64()),
        None => println!("The audit still does not know of the last task; what follows pays for that, too."),
    }
    Ok(())
}
