//! The stores of one test: its databases and its vhost, on the servers that all tests share.

use std::path::PathBuf;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use taskman_devstack::{Endpoints, STACK_VARIABLE};
use taskman_events::Envelope;

/// Databases and a vhost that no other test knows.
#[derive(Debug)]
pub struct Space {
    endpoints: Endpoints,
    name: String,
}

impl Space {
    /// Makes a space on the servers that the environment names.
    ///
    /// # Panics
    ///
    /// When the tests were started without servers: `make test` starts them, and `make test ARGS='-p taskman-task'` runs
    /// the tests of one crate.
    pub async fn new() -> Self {
        let endpoints = endpoints();
        let name = format!("t{}", taskman_ids::new_uuid().simple());
        let space = Self { endpoints, name };
        space.management(reqwest::Method::PUT, &format!("vhosts/{}", space.name), None).await;
        let user = &space.endpoints.management_user;
        let all = serde_json::json!({"configure": ".*", "write": ".*", "read": ".*"});
        space.management(reqwest::Method::PUT, &format!("permissions/{}/{user}", space.name), Some(all)).await;
        // The queues are there before any service is: an event reaches a consumer that has never run yet, and no queue is
        // removed in the moment in which it is made, which RabbitMQ does not get over (docs/decisions/0015).
        let definitions = taskman_messaging::topology::definitions(&taskman_messaging::Config::default(), &space.name);
        space.management(reqwest::Method::POST, &format!("definitions/{}", space.name), Some(definitions)).await;
        space
    }

    /// Returns what the names of the test's databases begin with.
    pub fn prefix(&self) -> String {
        format!("{}_", self.name)
    }

    /// Returns where the shared servers are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Creates the database of a service, unless it is there, and returns its URL.
    pub async fn database(&self, service: &str) -> SecretString {
        let name = format!("{}_{}", self.name, service.replace('-', "_"));
        let mut connection =
            PgConnection::connect(&self.endpoints.postgres_url).await.expect("the stack's PostgreSQL answers");
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut connection)
            .await
            .expect("the catalogue of databases can be read");
        if !exists {
            sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0")))
                .execute(&mut connection)
                .await
                .expect("a new database can be made");
        }
        let mut url = url::Url::parse(&self.endpoints.postgres_url).expect("the stack's URL is one");
        url.set_path(&name);
        SecretString::from(url.to_string())
    }

    /// Returns the URL of the test's own vhost.
    pub fn amqp_url(&self) -> SecretString {
        let mut url = url::Url::parse(&self.endpoints.amqp_url).expect("the stack's URL is one");
        url.set_path(&self.name);
        SecretString::from(url.to_string())
    }

    /// Returns the URL of the shared Redis; keys there hold the company, which is the test's own.
    pub fn redis_url(&self) -> SecretString {
        SecretString::from(self.endpoints.redis_url.clone())
    }

    /// Publishes an event to the test's vhost, as the relay of another service would.
    pub async fn publish(&self, envelope: &Envelope) {
        let exchange = taskman_events::find(envelope.routing_key()).expect("the event is in the catalogue").exchange;
        let payload = serde_json::to_vec(envelope).expect("an envelope is JSON");
        self.publish_raw(exchange.name(), envelope.routing_key(), &envelope.id.to_string(), &payload).await;
    }

    /// Publishes bytes, which may be no event at all.
    pub async fn publish_raw(&self, exchange: &str, routing_key: &str, message_id: &str, payload: &[u8]) {
        let connection = Connection::connect(self.amqp_url().expose_secret(), ConnectionProperties::default())
            .await
            .expect("the stack's RabbitMQ answers");
        let channel = connection.create_channel().await.expect("a channel opens");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms can be asked for");
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(taskman_events::CONTENT_TYPE.into())
            .with_message_id(message_id.into());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirmed = channel
            .basic_publish(exchange.into(), routing_key.into(), options, payload, properties)
            .await
            .expect("the exchange is there")
            .await
            .expect("the broker confirms");
        assert!(matches!(confirmed, Confirmation::Ack(None)), "no queue took {routing_key}: {confirmed:?}");
        connection.close(200, "done".into()).await.expect("the connection closes");
    }

    async fn management(&self, method: reqwest::Method, path: &str, body: Option<serde_json::Value>) {
        let Endpoints { rabbitmq_management_url, management_user, management_password, .. } = &self.endpoints;
        let url = format!("{}/api/{path}", rabbitmq_management_url.trim_end_matches('/'));
        let request = reqwest::Client::new()
            .request(method, url)
            .basic_auth(management_user, Some(management_password))
            .json(&body.unwrap_or_else(|| serde_json::json!({})));
        let answer = request.send().await.expect("the stack's RabbitMQ answers");
        assert!(answer.status().is_success(), "RabbitMQ refused {path}: {}", answer.status());
    }
}

impl Drop for Space {
    /// Removes the vhost: a broker with the queues of every test would run out of memory. Databases stay; the whole
    /// cluster is thrown away.
    fn drop(&mut self) {
        let (endpoints, name) = (self.endpoints.clone(), std::mem::take(&mut self.name));
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let space = Self { endpoints, name: name.clone() };
            runtime.block_on(space.management(reqwest::Method::DELETE, &format!("vhosts/{name}"), None));
            std::mem::forget(space);
        });
        // A failed removal costs memory, not the result of the test.
        let _removed = removal.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration; this is how they learn of the servers")]
fn endpoints() -> Endpoints {
    let Some(file) = std::env::var_os(STACK_VARIABLE) else {
        panic!("{STACK_VARIABLE} is not set: run the tests with `make test` (or `make test ARGS='-p taskman-task'`)");
    };
    Endpoints::read(&PathBuf::from(file)).unwrap_or_else(|error| panic!("{error}"))
}
