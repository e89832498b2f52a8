//! PostgreSQL: the newest installed one, without a socket file, trusting loopback.

use std::{fs, path::PathBuf, process::Command};

use rustix::process::{Signal, geteuid};

use crate::{
    error::{Result, Trying},
    install,
    process::tree,
    server::{Launch, Profile, Recipe, Server, Site, run_to_end},
};

/// A private PostgreSQL.
pub type Postgres = Server<PostgresRecipe>;

/// How PostgreSQL is started.
#[derive(Debug)]
pub struct PostgresRecipe;

impl Postgres {
    /// Returns the URL of the database `postgres`, as superuser.
    pub fn url(&self) -> String {
        format!("postgres://taskman@127.0.0.1:{}/postgres", self.port())
    }
}

impl Recipe for PostgresRecipe {
    const NAME: &'static str = "postgres";
    const PORTS: usize = 1;
    const STOP: Signal = Signal::INT; // "fast": disconnects clients, writes a checkpoint
    /// A start-up message of protocol 3.0; `R` asks for authentication, an `E` says that the server is not ready.
    const PROBE: (&'static [u8], &'static [u8]) = (b"\0\0\0\x28\0\x03\0\0user\0taskman\0database\0postgres\0\0", b"R");

    async fn prepare(site: &Site) -> Result<()> {
        if cluster(site).join("PG_VERSION").exists() {
            return Ok(());
        }
        let account = Account::choose();
        account.give(site)?;
        let mut command = command(&account, "initdb", site)?;
        command.arg("-D").arg(cluster(site));
        command.args(["-U", "taskman", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        run_to_end(Self::NAME, &site.dir.join("initdb.log"), command).await
    }

    fn launches(site: &Site) -> Result<Vec<Launch>> {
        forget_dead_postmaster(site)?;
        let port = site.ports[0];
        let mut command = command(&Account::choose(), "postgres", site)?;
        command.arg("-D").arg(cluster(site));
        let mut settings = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(), // a socket's path may hold 107 bytes only
            "max_connections=500".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        if site.profile == Profile::Test {
            // Nothing waits for the disk, but a commit is answered only when its log is the kernel's: it outlives a kill
            // of the server, which tests count on. With `synchronous_commit=off` it would not.
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        for setting in settings {
            command.args(["-c", &setting]);
        }
        Ok(vec![Launch { command, port }])
    }
}

/// Who runs PostgreSQL, which refuses root.
enum Account {
    /// We are not root: ourselves.
    Own,
    /// Root that a user namespace shows as user 1000: the files stay root's, any directory works.
    Namespace,
    /// The account of the package, where user namespaces are forbidden; it must be able to reach the directory.
    Package,
}

impl Account {
    fn choose() -> Self {
        if !geteuid().is_root() {
            Self::Own
        } else if install::works(&["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", "true"]) {
            Self::Namespace
        } else {
            Self::Package
        }
    }

    fn prefix(&self) -> &'static [&'static str] {
        match self {
            Self::Own => &[],
            Self::Namespace => &["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"],
            Self::Package => &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"],
        }
    }

    fn give(&self, site: &Site) -> Result<()> {
        if let Self::Package = self {
            let data = site.dir.join("data");
            let status = Command::new("chown").arg("postgres:").arg(&data).status();
            status.trying(|| format!("give {} to postgres", data.display()))?;
        }
        Ok(())
    }
}

fn command(account: &Account, name: &'static str, site: &Site) -> Result<Command> {
    let program = install::find(name, install::versions("/usr/lib/postgresql", "bin"))?;
    Ok(install::server_command(account.prefix(), &program, &site.dir.join("data")))
}

/// Removes the lock file of a postmaster that is gone.
///
/// PostgreSQL itself would do so, but takes any process with that id for the postmaster, even a zombie that nobody reaps.
/// That nobody uses the data is known already, and its shared memory is still looked at.
fn forget_dead_postmaster(site: &Site) -> Result<()> {
    let file = cluster(site).join("postmaster.pid");
    let Ok(content) = fs::read_to_string(&file) else { return Ok(()) };
    let pid = content.lines().next().and_then(|line| line.trim().parse().ok());
    if pid.is_some_and(|pid| tree::runs(pid, "postgres")) {
        return Ok(());
    }
    fs::remove_file(&file).trying(|| format!("remove {}", file.display()))
}

fn cluster(site: &Site) -> PathBuf {
    site.dir.join("data/cluster")
}
