//! The four servers together, and the file that tells other processes where they are.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, Trying},
    lock::{self, OwnedDir},
    mail::MailCatcher,
    postgres::Postgres,
    rabbitmq::{self, RabbitMq},
    redis::Redis,
    server::Profile,
};

/// The environment variable that holds the path of the JSON file with the [`Endpoints`] of a running stack.
pub const STACK_VARIABLE: &str = "TASKMAN_STACK";

/// Where a stack lives and what its data are worth.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state directory; created where it is missing.
    pub dir: PathBuf,
    /// What the data are worth.
    pub profile: Profile,
}

/// Where the servers of a stack are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The database `postgres`, as superuser.
    pub postgres_url: String,
    /// Redis, database 0.
    pub redis_url: String,
    /// RabbitMQ, vhost `/`.
    pub amqp_url: String,
    /// RabbitMQ's management API, without credentials.
    pub rabbitmq_management_url: String,
    /// The user of the management API.
    pub management_user: String,
    /// The password of the management API.
    pub management_password: String,
    /// The mail catcher's SMTP address, `127.0.0.1:PORT`.
    pub smtp_addr: String,
    /// The mail catcher's pages and API.
    pub mail_url: String,
}

impl Endpoints {
    /// Reads the file that [`STACK_VARIABLE`] names.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).trying(|| format!("read {}", file.display()))?;
        serde_json::from_slice(&bytes).trying(|| format!("understand {}", file.display()))
    }
}

/// PostgreSQL, Redis, RabbitMQ and the mail catcher, running; dropping it kills them.
#[derive(Debug)]
pub struct Stack {
    endpoints: Endpoints,
    postgres: Postgres,
    redis: Redis,
    rabbitmq: RabbitMq,
    mail: MailCatcher,
    dir: OwnedDir, // last, so that the directory stays taken until the servers are gone
}

impl Stack {
    /// Starts the four at the same time and writes `endpoints.json`.
    ///
    /// # Errors
    /// Those of [`crate::Server::start`]; servers that did start are killed.
    pub async fn start(options: Options) -> Result<Self> {
        let dir = OwnedDir::take(&options.dir)?;
        let (root, profile) = (dir.path(), options.profile);
        let (postgres, redis, rabbitmq, mail) = tokio::try_join!(
            Postgres::start(root.join("postgres"), profile),
            Redis::start(root.join("redis"), profile),
            RabbitMq::start(root.join("rabbitmq"), profile),
            MailCatcher::start(root.join("mail")),
        )?;
        let endpoints = Endpoints {
            postgres_url: postgres.url(),
            redis_url: redis.url(),
            amqp_url: rabbitmq.url(),
            rabbitmq_management_url: rabbitmq.management_url(),
            management_user: rabbitmq::ACCOUNT.to_owned(),
            management_password: rabbitmq::ACCOUNT.to_owned(),
            smtp_addr: mail.smtp_addr().to_string(),
            mail_url: mail.url(),
        };
        let stack = Self { endpoints, postgres, redis, rabbitmq, mail, dir };
        let (file, json) = (stack.endpoints_file(), serde_json::to_vec_pretty(&stack.endpoints).unwrap_or_default());
        std::fs::write(&file, json).trying(|| format!("write {}", file.display()))?;
        Ok(stack)
    }

    /// Returns where the servers are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Returns the path of the file with the endpoints; it exists while the stack runs.
    pub fn endpoints_file(&self) -> PathBuf {
        self.dir.path().join("endpoints.json")
    }

    /// Returns PostgreSQL.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// Returns PostgreSQL, to be killed or restarted.
    pub fn postgres_mut(&mut self) -> &mut Postgres {
        &mut self.postgres
    }

    /// Returns Redis.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Returns Redis, to be killed or restarted.
    pub fn redis_mut(&mut self) -> &mut Redis {
        &mut self.redis
    }

    /// Returns RabbitMQ.
    pub fn rabbitmq(&self) -> &RabbitMq {
        &self.rabbitmq
    }

    /// Returns RabbitMQ, to be killed or restarted.
    pub fn rabbitmq_mut(&mut self) -> &mut RabbitMq {
        &mut self.rabbitmq
    }

    /// Returns the mail catcher.
    pub fn mail(&self) -> &MailCatcher {
        &self.mail
    }

    /// Returns the mail catcher, to be stopped or restarted.
    pub fn mail_mut(&mut self) -> &mut MailCatcher {
        &mut self.mail
    }

    /// Stops the four.
    pub async fn stop(mut self) -> Result<()> {
        _ = std::fs::remove_file(self.endpoints_file());
        let (postgres, redis, rabbitmq, ()) =
            tokio::join!(self.postgres.stop(), self.redis.stop(), self.rabbitmq.stop(), self.mail.stop());
        postgres.and(redis).and(rabbitmq)
    }
}

/// What is known about a stack from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackStatus {
    /// Nobody owns the directory.
    Down,
    /// A process owns the directory and is starting or stopping the servers.
    Changing,
    /// The servers are started.
    Up(Endpoints),
}

/// Tells whether a stack runs in `dir`, and where its servers are.
pub fn status(dir: &Path) -> StackStatus {
    if !lock::is_owned(dir) {
        return StackStatus::Down;
    }
    Endpoints::read(&dir.join("endpoints.json")).map_or(StackStatus::Changing, StackStatus::Up)
}
