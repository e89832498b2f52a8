//! `taskman up`: the fleet in one process, on private servers unless told where others are.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use taskman_chassis::config::{TelemetryConfig, environment};
use taskman_chassis::{Process, install_crypto, install_telemetry, told_to_stop};
use taskman_devstack::{Endpoints, Options as StackOptions, Profile, Stack};

use crate::fleet::{Fleet, Options, Ports, Stores};
use crate::keys::{FleetKeys, SERVICES};

/// The arguments of `taskman up`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where keys and the private servers live.
    #[arg(long, default_value = ".dev")]
    dir: PathBuf,
    /// Only these services, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A file with the endpoints of servers that run already (`devstack up` writes one); without it, private ones are
    /// started and stopped with the fleet.
    #[arg(long)]
    stores: Option<PathBuf>,
    /// What is logged.
    #[arg(
        long,
        default_value = "warn,taskman_telemetry=info,taskman_rpc=info,opentelemetry=off,lapin::returned_messages=off,lapin::channels=off"
    )]
    log: String,
}

/// What `taskman up` leaves in its folder for other commands while it runs.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Announcement {
    /// The gateway.
    pub gateway_url: String,
    /// The mail catcher.
    pub mail_url: String,
}

impl Announcement {
    /// Returns the file in `dir`.
    pub fn file(dir: &Path) -> PathBuf {
        dir.join("fleet.json")
    }
}

/// Runs the fleet until SIGINT or SIGTERM.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    install_crypto();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(up(arguments))
}

#[expect(clippy::print_stdout, reason = "a command line tool says what it does")]
async fn up(arguments: Arguments) -> anyhow::Result<()> {
    let services = chosen(&arguments.only)?;
    let telemetry =
        install_telemetry("taskman", &TelemetryConfig { log: arguments.log, ..TelemetryConfig::default() })?;
    let metrics = telemetry.metrics();
    let process = Process::new(move |service| metrics.render_for(service));
    let (stack, endpoints) = if let Some(file) = &arguments.stores {
        (None, Endpoints::read(file)?)
    } else {
        println!("Starting PostgreSQL, Redis, RabbitMQ and the mail catcher in {} …", arguments.dir.display());
        let options = StackOptions { dir: arguments.dir.join("stack"), profile: Profile::Dev };
        let stack = Stack::start(options).await?;
        let endpoints = stack.endpoints().clone();
        (Some(stack), endpoints)
    };
    let options = Options {
        services,
        stores: stores(&endpoints),
        keys: FleetKeys::load_or_generate(&arguments.dir.join("keys.json"))?,
        ports: Ports::Usual,
        environment: environment()?,
    };
    let fleet = Fleet::start(&options, &process).await?;
    announce(&arguments.dir, &fleet, &endpoints)?;
    told_to_stop().await?;
    println!("Stopping …");
    let _gone = std::fs::remove_file(Announcement::file(&arguments.dir));
    let orderly = fleet.stop().await;
    if let Some(stack) = stack {
        stack.stop().await?;
    }
    telemetry.shutdown().await;
    anyhow::ensure!(orderly, "not everything ended in order; the log says what");
    Ok(())
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if only.is_empty() {
        return Ok(SERVICES.to_vec());
    }
    let find = |name: &String| {
        let known = SERVICES.into_iter().find(|service| service == name);
        known.with_context(|| format!("there is no service called {name}; there are {}", SERVICES.join(", ")))
    };
    only.iter().map(find).collect()
}

/// Takes the stores that a stack offers.
pub fn stores(endpoints: &Endpoints) -> Stores {
    Stores {
        postgres_url: endpoints.postgres_url.clone(),
        database_prefix: String::new(),
        redis_url: Some(endpoints.redis_url.clone()),
        amqp_url: endpoints.amqp_url.clone(),
        smtp_addr: endpoints.smtp_addr.clone(),
    }
}

#[expect(clippy::print_stdout, reason = "a command line tool says what it does")]
fn announce(dir: &Path, fleet: &Fleet, endpoints: &Endpoints) -> anyhow::Result<()> {
    for service in fleet.services() {
        println!("  {:<15} {}   health and metrics {}", service.name(), service.address(), service.admin_address());
    }
    if let Some(gateway) = fleet.address("gateway") {
        let announcement =
            Announcement { gateway_url: format!("http://{gateway}"), mail_url: endpoints.mail_url.clone() };
        std::fs::write(Announcement::file(dir), serde_json::to_vec_pretty(&announcement)?)?;
        println!("\nTaskMan is up: {}/api/v1", announcement.gateway_url);
    }
    println!("Mails are caught at {}", endpoints.mail_url);
    println!("`make demo` in another terminal plays a company; Ctrl-C stops everything.");
    Ok(())
}
