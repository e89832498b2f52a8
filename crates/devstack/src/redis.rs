//! Redis: one node, bounded memory, nothing evicted.

use rustix::process::Signal;

use crate::{
    error::{Result, Trying},
    install,
    server::{Launch, Profile, Recipe, Server, Site},
};

/// A private Redis.
pub type Redis = Server<RedisRecipe>;

/// How Redis is started.
#[derive(Debug)]
pub struct RedisRecipe;

impl Redis {
    /// Returns the URL of database 0.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port())
    }
}

impl Recipe for RedisRecipe {
    const NAME: &'static str = "redis";
    const PORTS: usize = 1;
    const STOP: Signal = Signal::TERM;
    const PROBE: (&'static [u8], &'static [u8]) = (b"PING\r\n", b"+PONG\r\n");

    async fn prepare(site: &Site) -> Result<()> {
        let append = if site.profile == Profile::Dev { "yes" } else { "no" };
        let config = format!(
            "port {port}\nbind 127.0.0.1\ndir data\nsave \"\"\nappendonly {append}\ndatabases 256\n\
             maxmemory 256mb\nmaxmemory-policy noeviction\nmaxclients 4000\n\
             proc-title-template \"{{title}} {{config-file}} {{listen-addr}}\"\n",
            port = site.ports[0],
        );
        let file = site.dir.join("redis.conf");
        tokio::fs::write(&file, config).await.trying(|| format!("write {}", file.display()))
    }

    fn launches(site: &Site) -> Result<Vec<Launch>> {
        let program = install::find("redis-server", [])?;
        let mut command = install::server_command(&[], &program, &site.dir);
        command.arg(site.dir.join("redis.conf"));
        Ok(vec![Launch { command, port: site.ports[0] }])
    }
}
