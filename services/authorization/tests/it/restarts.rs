//! A restart decides at once, from what was written.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use sqlx::ConnectOptions as _;
use taskman_authorization::AuthorizationService;
use taskman_authorization::config::Config;
use taskman_chassis::config::ServerConfig;
use taskman_chassis::{Listeners, Process, Running};
use taskman_clock::{Clock as _, ManualClock};
use taskman_identity::{Client, Principal, VOUCHER_HEADER, VoucherKeys};
use taskman_ids::RequestId;
use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
use taskman_proto::authorization::{DecideRequest, Outcome};
use taskman_proto::iam::change::What;
use taskman_testkit::wait_until;
use tonic::{Request, Status};

use crate::world::{World, allow, allow_where, assert_unavailable, change};

/// A replica that starts on a database of before, and reaches no other service.
struct Restarted {
    running: Running,
    keys: VoucherKeys,
    clock: ManualClock,
}

impl Restarted {
    async fn start(url: String, clock: ManualClock) -> Self {
        let keys = taskman_testkit::fleet_keys();
        let mut config = taskman_chassis::Config::<Config>::default();
        config.database.url = url.into();
        // Nothing listens there: no stream, and no broker.
        config.rabbitmq.url = "amqp://127.0.0.1:1/%2f".into();
        config.upstreams =
            taskman_testkit::FLEET.iter().map(|peer| ((*peer).to_owned(), "http://127.0.0.1:1".to_owned())).collect();
        config.identity.fleet_keys = Some(keys["authorization"].clone().into());
        config.server = ServerConfig {
            listen: "127.0.0.1:0".to_owned(),
            admin_listen: "127.0.0.1:0".to_owned(),
            drain_timeout_ms: 500,
            ..ServerConfig::default()
        };
        let process = Process { clock: Arc::new(clock.clone()), ..Process::new(|_| String::new()) };
        let listeners = Listeners::bind("authorization", &config.server).await.unwrap();
        let running = taskman_chassis::start::<AuthorizationService>(config, listeners, process).await.unwrap();
        Self { running, keys: VoucherKeys::parse(&keys["task"]).unwrap(), clock }
    }

    async fn ask(&self, request: DecideRequest) -> Result<Outcome, Status> {
        let path = "/taskman.authorization.v1.AuthorizationService/Decide";
        let principal = Principal::Service { name: "task".to_owned(), client: Client::unknown(RequestId::new()) };
        let voucher =
            self.keys.issue("authorization", path, principal, self.clock.now(), Duration::from_secs(10)).unwrap();
        let mut request = Request::new(request);
        request.metadata_mut().insert(VOUCHER_HEADER, voucher.parse().unwrap());
        let address = format!("http://{}", self.running.address());
        let mut client =
            AuthorizationServiceClient::connect(address).await.map_err(|e| Status::unknown(e.to_string()))?;
        Ok(client.decide(request).await?.into_inner().outcome())
    }
}

#[tokio::test]
async fn a_restart_decides_at_once_without_any_stream() {
    let world = World::start().await;
    let (kept, gone) = (allow(&["tasks:view"], &["tasks/**"]), allow(&["tasks:edit"], &["tasks/**"]));
    let role = world.role(
        "kept",
        &[kept, gone.clone(), allow_where(&["tasks:start"], &["tasks"], "subject.department == 'engineering'")],
    );
    let deleted = world.role("deleted", &[allow(&["*"], &["*"])]);
    let user = world.user(&[role, deleted]);
    assert_eq!(world.decide_now(user, "users:view", "users").await, Outcome::Allow);
    world.iam.0.push(change(world.company, What::DeletedPolicyId(gone.id)));
    world.iam.0.push(change(world.company, What::DeletedRoleId(deleted.to_string())));
    assert_eq!(world.decide_now(user, "users:view", "users").await, Outcome::Deny);
    let question = |action: &str| world.question(user, action, &["tasks"]);
    let asked = [
        (question("tasks:view"), Outcome::Allow),
        (question("tasks:start"), Outcome::Allow),
        (question("tasks:edit"), Outcome::Deny),
        (question("users:view"), Outcome::Deny),
    ];
    let late = question("tasks:view");
    let head = world.head();
    let written = || async {
        let position: i64 = sqlx::query_scalar("SELECT position FROM positions WHERE stream = 'iam'")
            .fetch_one(world.service.pool())
            .await
            .unwrap();
        position == head.iam
    };
    wait_until("all to be written", written).await;
    let url = world.service.pool().connect_options().to_url_lossy().to_string();
    let clock = world.service.clock().clone();
    world.service.stop().await;

    let restarted = Restarted::start(url.clone(), clock.clone()).await;
    for (mut request, outcome) in asked {
        request.at_least_position = Some(head);
        assert_eq!(restarted.ask(request.clone()).await.unwrap(), outcome, "{}", request.action);
    }
    restarted.running.stop().await;

    // Ten minutes later the same facts are too old.
    clock.advance(TimeDelta::minutes(10));
    let restarted = Restarted::start(url, clock).await;
    assert_unavailable(restarted.ask(late).await, "STALE_SNAPSHOT");
    restarted.running.stop().await;
}

#[tokio::test]
async fn who_has_never_heard_anything_decides_nothing() {
    let world = World::start().await;
    let request = world.question(taskman_ids::UserId::new(), "tasks:view", &["tasks"]);
    let clock = world.service.clock().clone();
    let space = world.service.stop().await;
    let empty = space.database("another").await.expose_secret().to_owned();
    let started = Restarted::start(empty, clock).await;
    assert_unavailable(started.ask(request).await, "STALE_SNAPSHOT");
    started.running.stop().await;
}
