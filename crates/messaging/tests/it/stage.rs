//! A database and a vhost for one test, and what runs on them.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use taskman_clock::{Clock, SystemClock};
use taskman_devstack::{Endpoints, STACK_VARIABLE};
use taskman_events::task::{Priority, Task, TaskAssigned, TaskStatus};
use taskman_events::{Actor, Origin, subscription};
use taskman_ids::{CompanyId, EventId, ProjectId, TaskId, UserId};
use taskman_messaging::{Config, Consumer, DDL, Handlers, Outbox, Relay, outbox, topology};
use taskman_postgres::Db;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

static NO_MIGRATIONS: Migrator = Migrator::DEFAULT;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One test's database and vhost.
pub(crate) struct Stage {
    pub(crate) db: Db,
    pub(crate) config: Config,
    pub(crate) company: CompanyId,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// The vhost of this test, as the management API names it.
    vhost: Option<String>,
}

pub(crate) fn endpoints() -> Endpoints {
    #[expect(clippy::disallowed_methods, reason = "devstack tells the tests where the servers are through it")]
    let file = std::env::var(STACK_VARIABLE).expect("run it as `devstack exec -- cargo test -p taskman-messaging`");
    Endpoints::read(Path::new(&file)).unwrap()
}

/// Asks the broker's management API for a change.
async fn manage(method: Method, url: &str, body: &'static str) {
    let endpoints = endpoints();
    let request = reqwest::Client::new()
        .request(method, url)
        .basic_auth(endpoints.management_user, Some(endpoints.management_password))
        .header("content-type", "application/json")
        .body(body);
    request.send().await.unwrap().error_for_status().unwrap();
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let endpoints = endpoints();
        let name = format!("messaging-{}", taskman_ids::new_uuid().simple());
        let vhost = format!("{}/api/vhosts/{name}", endpoints.rabbitmq_management_url);
        let user = endpoints.management_user;
        let grant = format!("{}/api/permissions/{name}/{user}", endpoints.rabbitmq_management_url);
        let everything = r#"{"configure":".*","write":".*","read":".*"}"#;
        for (url, body) in [(vhost.as_str(), "{}"), (grant.as_str(), everything)] {
            manage(Method::PUT, url, body).await;
        }
        let broker = endpoints.amqp_url.rsplit_once('/').unwrap().0;
        let mut stage = Self::at(&endpoints.postgres_url, &format!("{broker}/{name}")).await;
        stage.vhost = Some(vhost);
        stage.declare().await;
        stage
    }

    /// Has a database of its own on a server, and a vhost that somebody else made.
    pub(crate) async fn at(url: &str, broker_url: &str) -> Self {
        let name = format!("messaging_{}", taskman_ids::new_uuid().simple());
        let mut admin = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        let url = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
        let postgres = taskman_postgres::Config {
            url: SecretString::from(url),
            acquire_timeout_ms: 10_000,
            ..taskman_postgres::Config::default()
        };
        let db = Db::connect(&postgres, "task", &NO_MIGRATIONS).unwrap();
        sqlx::raw_sql(DDL).execute(db.primary()).await.unwrap();
        let effects = "CREATE TABLE effects (consumer text NOT NULL, event_id uuid NOT NULL)";
        sqlx::raw_sql(effects).execute(db.primary()).await.unwrap();
        let config = Config {
            url: SecretString::from(broker_url.to_owned()),
            reconnect_ms: [50, 500],
            poll_ms: [20, 100],
            lease_ms: 3_000,
            refused_ms: [50, 100],
            retry_delays_ms: vec![150, 300],
            confirm_timeout_ms: 10_000,
            ..Config::default()
        };
        let stop = CancellationToken::new();
        Self { db, config, company: CompanyId::new(), stop, tasks: TaskTracker::new(), vhost: None }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.db.primary()
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::new(self.company, Actor::User(UserId::new()))
    }

    pub(crate) fn start_relay(&self) -> Outbox {
        let relay = Relay::new(self.db.clone(), self.config.clone(), "task");
        let outbox = relay.outbox();
        self.tasks.spawn(relay.run(self.stop.clone()));
        outbox
    }

    pub(crate) fn start_consumer(&self, queue: &str, handlers: Handlers) {
        let subscription = subscription(queue).unwrap();
        let consumer =
            Consumer::new(self.db.clone(), self.config.clone(), subscription.service, subscription, handlers);
        self.tasks.spawn(consumer.run(self.stop.clone()));
    }

    /// Stops everything and asserts that it does stop.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("something did not stop");
        self.db.close().await;
        if let Some(vhost) = self.vhost {
            manage(Method::DELETE, &vhost, "").await;
        }
    }

    /// Records an event in a transaction of its own.
    pub(crate) async fn record(&self, title: &str) -> EventId {
        let mut tx = self.db.begin().await.unwrap();
        let id = outbox::record(&mut tx, &self.origin(), &assigned(title), now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Opens a channel of the test's own.
    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let url = self.config.url.expose_secret();
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Declares everything.
    pub(crate) async fn declare(&self) {
        let (connection, channel) = self.channel().await;
        topology::declare_all(&channel, &self.config).await.unwrap();
        connection.close(200, "bye".into()).await.unwrap();
    }

    /// Puts bytes into a queue as they are.
    pub(crate) async fn put(&self, queue: &str, payload: &[u8], message_id: Option<&str>) {
        let mut properties = BasicProperties::default();
        if let Some(id) = message_id {
            properties = properties.with_message_id(id.into());
        }
        self.put_with(queue, payload, properties).await;
    }

    /// Puts bytes into a queue with headers that are texts.
    pub(crate) async fn put_with_headers(&self, queue: &str, payload: &[u8], headers: &[(&str, &str)]) {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        self.put_with(queue, payload, BasicProperties::default().with_headers(table)).await;
    }

    async fn put_with(&self, queue: &str, payload: &[u8], properties: BasicProperties) {
        let (connection, channel) = self.channel().await;
        let properties = properties.with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await.unwrap();
        channel.basic_publish("".into(), queue.into(), options, payload, properties).await.unwrap().await.unwrap();
        connection.close(200, "bye".into()).await.unwrap();
    }

    /// Counts the messages that are ready in a queue.
    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        let (connection, channel) = self.channel().await;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        connection.close(200, "bye".into()).await.unwrap();
        found.message_count()
    }

    /// Counts how often events had an effect at a consumer.
    pub(crate) async fn effects(&self, consumer: &str) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM effects WHERE consumer = $1");
        count.bind(consumer).fetch_one(self.pool()).await.unwrap()
    }

    /// Counts how often one event had an effect at a consumer.
    pub(crate) async fn effects_of(&self, consumer: &str, event: EventId) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM effects WHERE consumer = $1 AND event_id = $2");
        count.bind(consumer).bind(event).fetch_one(self.pool()).await.unwrap()
    }

    pub(crate) async fn backlog(&self) -> i64 {
        let mut conn = self.pool().acquire().await.unwrap();
        outbox::backlog(&mut conn).await.unwrap()
    }
}

/// Waits until `check` says so.
pub(crate) async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let waited = tokio::time::timeout(PATIENCE, async {
        while !check().await {
            ticks.tick().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

pub(crate) fn assigned(title: &str) -> TaskAssigned {
    let (user, assignee) = (UserId::new(), UserId::new());
    TaskAssigned {
        task: Task {
            id: TaskId::new(),
            project_id: ProjectId::new(),
            key: "CORE-1".to_owned(),
            title: title.to_owned(),
            status: TaskStatus::Todo,
            priority: Priority::Medium,
            creator_id: user,
            assignee_id: Some(assignee),
            due_date: None,
            version: 2,
        },
        assignee_id: assignee,
        previous: None,
        by: user,
        changed_fields: vec!["assignee_id".to_owned()],
    }
}
