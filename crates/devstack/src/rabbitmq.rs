//! RabbitMQ: one node with its own name server (epmd), cookie and ports, management included.

use std::path::PathBuf;

use rustix::process::Signal;

use crate::{
    error::{Result, Trying},
    install,
    server::{Launch, Profile, Recipe, Server, Site},
};

/// A private RabbitMQ.
pub type RabbitMq = Server<RabbitMqRecipe>;

/// How RabbitMQ is started.
#[derive(Debug)]
pub struct RabbitMqRecipe;

/// The only account of a private broker, and its password.
pub(crate) const ACCOUNT: &str = "taskman";

impl RabbitMq {
    /// Returns the AMQP URL of the vhost `/`.
    pub fn url(&self) -> String {
        format!("amqp://{ACCOUNT}:{ACCOUNT}@127.0.0.1:{}/%2f", self.port())
    }

    /// Returns the URL of the management API, without user and password.
    pub fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.site().ports[1])
    }
}

impl Recipe for RabbitMqRecipe {
    const NAME: &'static str = "rabbitmq";
    const PORTS: usize = 4; // amqp, management, distribution, epmd
    const STOP: Signal = Signal::TERM;
    const SLOW_STOP: bool = true; // it drains its web listeners for 5 s
    /// AMQP 0-9-1; the answer is a method frame on channel 0. This listener opens after all others.
    const PROBE: (&'static [u8], &'static [u8]) = (b"AMQP\0\0\x09\x01", b"\x01\0\0");

    async fn prepare(site: &Site) -> Result<()> {
        // Tests fill hundreds of virtual hosts with queues and remove them again. What they leave for a while must not
        // raise the memory alarm, which stops every publisher.
        let (statistics, memory) = if site.profile == Profile::Test { (1_000, "4GB") } else { (5_000, "512MB") };
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n\
             default_user = {ACCOUNT}\ndefault_pass = {ACCOUNT}\n\
             log.file = false\nlog.console = true\nlog.console.level = warning\n\
             disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = {memory}\n\
             raft.wal_max_size_bytes = 67108864\ncollect_statistics_interval = {statistics}\n",
            amqp = site.ports[0],
            management = site.ports[1],
        );
        for (name, text) in [("rabbitmq.conf", config.as_str()), ("enabled_plugins", "[rabbitmq_management].\n")] {
            let file = site.dir.join(name);
            tokio::fs::write(&file, text).await.trying(|| format!("write {}", file.display()))?;
        }
        for name in ["home", "mnesia", "log"] {
            let dir = site.dir.join("data").join(name);
            tokio::fs::create_dir_all(&dir).await.trying(|| format!("create {}", dir.display()))?;
        }
        Ok(())
    }

    fn launches(site: &Site) -> Result<Vec<Launch>> {
        let [amqp, _, distribution, names] = site.ports[..] else { return Ok(Vec::new()) };
        // A name server started by Erlang itself would be a daemon that outlives the node.
        let mut epmd = install::server_command(&[], &install::find("epmd", [])?, &site.dir);
        epmd.args(["-address", "127.0.0.1", "-port", &names.to_string()]);

        let data = site.dir.join("data");
        let mut node = install::server_command(&[], &install::find("rabbitmq-server", folders())?, &site.dir);
        node.env("HOME", data.join("home")) // holds the Erlang cookie
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", site.dir.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", site.dir.join("no-advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", site.dir.join("enabled_plugins"))
            .env("RABBITMQ_NODENAME", "taskman@localhost") // not the port: the data belong to the name
            .env("RABBITMQ_MNESIA_BASE", data.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", data.join("log"))
            .env("RABBITMQ_PID_FILE", data.join("pid"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", amqp.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("ERL_EPMD_PORT", names.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_CRASH_DUMP", data.join("log/erl_crash.dump"))
            .env("RUNNING_UNDER_SYSTEMD", "true") // the script becomes the node instead of watching over it
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            );
        Ok(vec![Launch { command: epmd, port: names }, Launch { command: node, port: amqp }])
    }
}

/// The folders with the scripts themselves; what lies in PATH may be a wrapper that insists on the package's account.
fn folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/lib/rabbitmq/bin"), PathBuf::from("/opt/rabbitmq/sbin")];
    folders.extend(install::versions("/usr/lib/rabbitmq/lib", "sbin"));
    folders
}
