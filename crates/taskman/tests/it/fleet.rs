//! A whole fleet for one test, in this process, on stores of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection};
use taskman_chassis::Process;
use taskman_taskman::fleet::{Fleet, Options, Ports, Stores};
use taskman_taskman::keys::{FleetKeys, SERVICES};
use taskman_taskman::story::{Outcome, Stage, Told, play};
use taskman_testkit::Space;
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

/// How long [`wait_long`] waits.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);

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
        wait_long("the fleet to be ready", || async { fleet.is_ready().then_some(()) }).await;
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
    Stage::new(gateway_url, &space.endpoints().mail_url)
}

/// Waits until the audit has each event of each outbox, and makes sure that it has each once and nothing else.
pub(crate) async fn every_event_is_audited_once(stores: &Stores) {
    let (recorded, published) = wait_long("every event in the audit", || async {
        let (recorded, published) = ledger(stores).await;
        published.keys().all(|id| recorded.contains_key(id)).then_some((recorded, published))
    })
    .await;
    for (id, times) in &recorded {
        let service = published.get(id);
        assert!(service.is_some(), "the audit tells of {id}, which was in no outbox");
        assert_eq!(*times, 1, "event {id} of {service:?} is in the audit {times} times");
    }
}

/// Reads how often the audit has each event, and then which service's outbox each event is in: what is in the audit by
/// then was in an outbox before, since no service uses `LogEvent`.
async fn ledger(stores: &Stores) -> (BTreeMap<Uuid, usize>, BTreeMap<Uuid, &'static str>) {
    let mut audit = connect(stores, "audit_db").await;
    let rows: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM audit_events").fetch_all(&mut audit).await.unwrap();
    let mut recorded: BTreeMap<Uuid, usize> = BTreeMap::new();
    for id in rows {
        *recorded.entry(id).or_default() += 1;
    }
    let mut published = BTreeMap::new();
    for (service, database) in DATABASES {
        let mut connection = connect(stores, database).await;
        let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM outbox").fetch_all(&mut connection).await.unwrap();
        published.extend(ids.into_iter().map(|id| (id, service)));
    }
    (recorded, published)
}

/// Waits until `look` finds something: for what takes longer than a service of a test does, such as processes that start
/// and events that a broker was away for.
pub(crate) async fn wait_long<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut turns = tokio::time::interval(PAUSE);
    loop {
        turns.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
    }
}

/// Counts the events in a service's outbox that are not published yet.
pub(crate) async fn unpublished(stores: &Stores, database: &str) -> i64 {
    let mut connection = connect(stores, database).await;
    let count = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE published_at IS NULL");
    count.fetch_one(&mut connection).await.unwrap()
}

/// Connects to a service's database, past the service.
pub(crate) async fn connect(stores: &Stores, database: &str) -> PgConnection {
    let mut url = url::Url::parse(&stores.postgres_url).unwrap();
    url.set_path(&format!("{}{database}", stores.database_prefix));
    PgConnection::connect(url.as_str()).await.unwrap()
}
