//! A whole fleet for one test, in this process, on stores of its own.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection};
use taskman_chassis::Process;
use taskman_taskman::fleet::{Fleet, Options, Ports, Stores};
use taskman_taskman::keys::{FleetKeys, SERVICES};
use taskman_taskman::story::{Outcome, Stage, Told, play};
use taskman_testkit::{Space, wait_for, wait_until};
use uuid::Uuid;

/// The services that keep an outbox, and the names of their databases.
const DATABASES: [(&str, &str); 7] = [
    ("authentication", "auth_db"),
    ("authorization", "authz_db"),
    ("user", "user_db"),
    ("iam-admin", "iam_db"),
    ("task", "task_db"),
    ("audit", "audit_db"),
    ("notification", "notification_db"),
];

/// A fleet and what it stands on.
pub(crate) struct TestFleet {
    pub(crate) fleet: Fleet,
    pub(crate) options: Options,
    pub(crate) process: Process,
    pub(crate) space: Space,
}

/// Describes a fleet on the shared servers.
pub(crate) fn options(space: &Space) -> Options {
    let endpoints = space.endpoints();
    Options {
        services: SERVICES.to_vec(),
        stores: Stores {
            postgres_url: endpoints.postgres_url.clone(),
            database_prefix: space.prefix(),
            redis_url: Some(endpoints.redis_url.clone()),
            amqp_url: space.amqp_url().expose_secret().to_owned(),
            smtp_addr: endpoints.smtp_addr.clone(),
        },
        keys: FleetKeys::generate().unwrap(),
        ports: Ports::Free,
        // Twenty fleets come from one address here; limits have tests of their own.
        environment: vec![("TASKMAN__LIMITS__OFF".to_owned(), "true".to_owned())],
    }
}

impl TestFleet {
    /// Starts a fleet on stores of its own.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a fleet whose description a test has changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        taskman_chassis::install_crypto();
        let telemetry = taskman_telemetry::install_for_tests();
        let space = Space::new().await;
        let mut options = options(&space);
        change(&mut options);
        let process = Process::new(move |_| telemetry.render_metrics());
        let fleet = Fleet::start(&options, &process).await.unwrap();
        wait_until("the fleet to be ready", || async { fleet.is_ready() }).await;
        Self { fleet, options, process, space }
    }

    /// Returns where the story is played.
    pub(crate) fn stage(&self) -> Stage {
        stage(&self.space, &format!("http://{}", self.fleet.address("gateway").unwrap()))
    }

    /// Plays the story and makes sure that the audit has every event once.
    pub(crate) async fn play(&self) -> Outcome {
        let outcome = play(&self.stage(), &mut |_: Told| {}).await.unwrap();
        every_event_is_audited_once(&self.options.stores).await;
        outcome
    }

    /// Stops everything in order.
    pub(crate) async fn stop(self) {
        assert!(self.fleet.stop().await, "not everything ended in order");
    }
}

/// Returns where the story is played.
pub(crate) fn stage(space: &Space, gateway_url: &str) -> Stage {
    Stage { gateway_url: gateway_url.to_owned(), mail_url: space.endpoints().mail_url.clone() }
}

/// Waits until the audit has each event of each outbox, and makes sure that it has each once and nothing else.
pub(crate) async fn every_event_is_audited_once(stores: &Stores) {
    let (published, recorded) = wait_for("every event in the audit", || async {
        let (events, rows) = ledger(stores).await;
        events.keys().all(|id| rows.contains(id)).then_some((events, rows))
    })
    .await;
    for (id, service) in &published {
        let times = recorded.iter().filter(|row| *row == id).count();
        assert_eq!(times, 1, "event {id} of {service} is in the audit {times} times");
    }
}

async fn ledger(stores: &Stores) -> (BTreeMap<Uuid, &'static str>, Vec<Uuid>) {
    let mut events = BTreeMap::new();
    for (service, database) in DATABASES {
        let mut connection = connect(stores, database).await;
        let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM outbox").fetch_all(&mut connection).await.unwrap();
        events.extend(ids.into_iter().map(|id| (id, service)));
    }
    let mut audit = connect(stores, "audit_db").await;
    let rows = sqlx::query_scalar("SELECT id FROM audit_events").fetch_all(&mut audit).await.unwrap();
    (events, rows)
}

/// Connects to a service's database, past the service.
pub(crate) async fn connect(stores: &Stores, database: &str) -> PgConnection {
    let mut url = url::Url::parse(&stores.postgres_url).unwrap();
    url.set_path(&format!("{}{database}", stores.database_prefix));
    PgConnection::connect(url.as_str()).await.unwrap()
}
