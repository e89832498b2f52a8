//! Starts one service in a space of its own.

use std::collections::BTreeMap;
use std::convert::Infallible;

use taskman_chassis::{Config, Listeners, Process, Running, Service};
use taskman_clock::{Clock as _, ManualClock, SharedClock, SystemClock};
use taskman_events::Envelope;
use taskman_identity::{Caller, Client, Principal, VoucherKeys};
use taskman_ids::RequestId;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Endpoint;

use crate::calls::Calls;
use crate::fakes::{Authorization, Fake};
use crate::keys;
use crate::space::Space;

/// Describes a service to be started.
#[derive(Debug)]
pub struct Builder<S: Service> {
    config: Config<S::Config>,
    fakes: Vec<Fake>,
    authorization: Authorization,
    clock: ManualClock,
    keys: BTreeMap<String, String>,
}

/// Begins to describe the service `S`. Unless told otherwise: an authorization service that allows everything, no other
/// services, no rate limits, and a clock that stands at the present time until the test moves it.
pub fn service<S: Service>() -> Builder<S> {
    Builder {
        config: Config::default(),
        fakes: Vec::new(),
        authorization: Authorization::allowing(),
        clock: ManualClock::at(SystemClock.now()),
        keys: keys::fleet_keys(),
    }
}

impl<S: Service> Builder<S> {
    /// Changes the configuration.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config<S::Config>)) -> Self {
        change(&mut self.config);
        self
    }

    /// Serves `service` as the upstream `peer`.
    pub async fn upstream<F>(mut self, peer: &str, service: F) -> Self
    where
        F: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        F::Future: Send + 'static,
    {
        let fake = Fake::serve(service).await;
        self.config.upstreams.insert(peer.to_owned(), fake.url());
        self.fakes.push(fake);
        self
    }

    /// Decides with `authorization` instead of allowing everything.
    #[must_use]
    pub fn authorization(mut self, authorization: &Authorization) -> Self {
        self.authorization = authorization.clone();
        self
    }

    /// Starts the service in a new space and waits until it is ready.
    pub async fn start(self) -> TestService {
        let space = Space::new().await;
        self.start_in(space).await
    }

    /// Starts the service in `space`: a second one beside the first, or again after a stop.
    pub async fn start_in(mut self, space: Space) -> TestService {
        taskman_chassis::install_crypto();
        let decides = self.authorization.server();
        if !self.config.upstreams.contains_key("authorization") && S::NAME != "authorization" {
            self = self.upstream("authorization", decides).await;
        }
        let mut config = self.config;
        for peer in keys::FLEET {
            // A port that nobody listens on: a call to a service that the test did not provide fails at once.
            config.upstreams.entry(peer.to_owned()).or_insert_with(|| "http://127.0.0.1:1".to_owned());
        }
        if S::migrator().is_some() {
            config.database.url = space.database(S::NAME).await;
        }
        config.redis.url = Some(space.redis_url());
        config.rabbitmq.url = space.amqp_url();
        config.identity.fleet_keys = Some(self.keys[S::NAME].clone().into());
        config.identity.secret_key = Some(keys::secret_key());
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        "127.0.0.1:0".clone_into(&mut config.server.admin_listen);
        let clock: SharedClock = std::sync::Arc::new(self.clock.clone());
        let process = Process { clock, ..Process::new(|_| String::new()) };
        let listeners = Listeners::bind(S::NAME, &config.server).await.expect("free ports");
        let running = taskman_chassis::start::<S>(config, listeners, process).await.expect("the service starts");
        crate::wait_until("the service to be ready", || async { running.is_ready() }).await;
        TestService { name: S::NAME, running, space, keys: self.keys, clock: self.clock, _fakes: self.fakes }
    }
}

/// A service at work in a test.
#[derive(Debug)]
pub struct TestService {
    name: &'static str,
    running: Running,
    space: Space,
    keys: BTreeMap<String, String>,
    clock: ManualClock,
    _fakes: Vec<Fake>,
}

impl TestService {
    /// Returns a channel whose calls come from `caller`, through the gateway.
    pub fn caller(&self, caller: &Caller) -> Calls {
        self.calls("gateway", Principal::User(caller.clone()))
    }

    /// Returns a channel whose calls come from somebody without a token, through the gateway.
    pub fn anybody(&self) -> Calls {
        let client = Client::new(Some([203, 0, 113, 9].into()), Some("testkit"), RequestId::new());
        self.calls("gateway", Principal::Anonymous { client })
    }

    /// Returns a channel whose calls come from another service of the fleet.
    pub fn fleet(&self, service: &str) -> Calls {
        let client = Client::unknown(RequestId::new());
        self.calls(service, Principal::Service { name: service.to_owned(), client })
    }

    /// Returns a channel that vouches for nobody: what an operator's grpcurl sends.
    pub fn direct(&self) -> tonic::transport::Channel {
        Endpoint::from_shared(format!("http://{}", self.running.address())).expect("an address").connect_lazy()
    }

    fn calls(&self, issuer: &str, principal: Principal) -> Calls {
        Calls {
            channel: self.direct(),
            keys: VoucherKeys::parse(&self.keys[issuer]).expect("the keys were just made"),
            audience: self.name,
            principal,
            clock: std::sync::Arc::new(self.clock.clone()),
        }
    }

    /// Returns the clock of the service.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Returns the service itself.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Returns the stores.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Returns the service's database.
    pub fn pool(&self) -> &sqlx::PgPool {
        self.running.db().expect("the service has a database").primary()
    }

    /// Returns every event that the service has recorded, oldest first, published or not.
    pub async fn events(&self) -> Vec<Envelope> {
        let payloads: Vec<Vec<u8>> = sqlx::query_scalar("SELECT payload FROM outbox ORDER BY created_at, id")
            .fetch_all(self.pool())
            .await
            .expect("the outbox can be read");
        payloads.iter().map(|payload| Envelope::decode(payload).expect("the outbox holds envelopes")).collect()
    }

    /// Publishes an event to the service's broker, as another service would.
    pub async fn publish(&self, envelope: &Envelope) {
        self.space.publish(envelope).await;
    }

    /// Stops the service and makes sure that it ended in order.
    pub async fn stop(self) -> Space {
        let stopped = self.running.stop().await;
        assert!(stopped.in_time, "the service did not end in time");
        assert_eq!(stopped.panics, 0, "tasks of the service panicked");
        self.space
    }
}
