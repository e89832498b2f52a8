//! A started audit service, and events for it.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use taskman_audit::{AuditService, config::Config};
use taskman_chassis::{Listeners, Process, Running};
use taskman_clock::Clock as _;
use taskman_events::task::{Priority, Task, TaskStarted, TaskStatus};
use taskman_events::user::{User, UserCreated, UserOrigin};
use taskman_events::{Envelope, Event, Origin};
use taskman_identity::Caller;
use taskman_ids::{CompanyId, EventId, ProjectId, TaskId, UserId};
use taskman_proto::audit::audit_service_client::AuditServiceClient;
use taskman_proto::audit::{AuditEvent, QueryEventsRequest};
use taskman_rpc::origin;
use taskman_testkit::{Calls, TestService, caller, fleet_keys, secret_key, service, wait_until};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A client of the audit service.
pub(crate) type Client = AuditServiceClient<Calls>;

/// The whole configuration of an audit service.
pub(crate) type Everything = taskman_chassis::Config<Config>;

/// An audit service at work.
pub(crate) struct World {
    /// The service.
    pub(crate) service: TestService,
    /// Who asks it.
    pub(crate) auditor: Caller,
}

impl World {
    /// Starts the service.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the service with another configuration of the broker.
    pub(crate) async fn start_with(change: impl FnOnce(&mut taskman_messaging::Config)) -> Self {
        let service = service::<AuditService>()
            .configure(|config| {
                patient(config);
                change(&mut config.rabbitmq);
            })
            .start()
            .await;
        Self { service, auditor: caller() }.at_work().await
    }

    /// Waits until an event of another company has gone all the way: what is published from now on has a queue.
    async fn at_work(self) -> Self {
        let somebody = caller();
        self.relay(&origin(&somebody), &[started("First")]).await;
        wait_until("the first event", || async { self.rows(somebody.company).await == 1 }).await;
        self
    }

    /// Starts another replica of the service, on the same stores.
    pub(crate) async fn replica(&self, change: impl FnOnce(&mut Everything)) -> anyhow::Result<Running> {
        let mut config = Everything::default();
        patient(&mut config);
        let name: String =
            sqlx::query_scalar("SELECT current_database()").fetch_one(self.service.pool()).await.unwrap();
        let (server, _) = self.service.space().endpoints().postgres_url.rsplit_once('/').unwrap();
        config.database.url = SecretString::from(format!("{server}/{name}"));
        config.redis.url = Some(self.service.space().redis_url());
        config.rabbitmq.url = self.service.space().amqp_url();
        config.identity.fleet_keys = Some(fleet_keys()["audit"].clone().into());
        config.identity.secret_key = Some(secret_key());
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        "127.0.0.1:0".clone_into(&mut config.server.admin_listen);
        change(&mut config);
        let clock = std::sync::Arc::new(self.service.clock().clone());
        let process = Process { clock, ..Process::new(|_| String::new()) };
        let listeners = Listeners::bind("audit", &config.server).await.unwrap();
        let running = taskman_chassis::start::<AuditService>(config, listeners, process).await?;
        wait_until("the replica", || async { running.is_ready() }).await;
        Ok(running)
    }

    /// Returns an instant that is safely over.
    pub(crate) fn past(&self, ago: TimeDelta) -> DateTime<Utc> {
        self.service.clock().now() - ago
    }

    /// Returns a client for `caller`.
    pub(crate) fn of(&self, caller: &Caller) -> Client {
        AuditServiceClient::new(self.service.caller(caller))
    }

    /// Returns a client for a service of the fleet.
    pub(crate) fn fleet(&self, service: &str) -> Client {
        AuditServiceClient::new(self.service.fleet(service))
    }

    /// Asks as the auditor, and returns all events of the first page.
    pub(crate) async fn ask(&self, request: QueryEventsRequest) -> Vec<AuditEvent> {
        self.of(&self.auditor).query_events(request).await.unwrap().into_inner().events
    }

    /// Publishes an event of the auditor's, and returns its envelope.
    pub(crate) async fn tell<E: Event>(&self, event: &E, ago: TimeDelta) -> Envelope {
        let envelope = self.envelope(&origin(&self.auditor), event, ago);
        self.service.publish(&envelope).await;
        envelope
    }

    /// Puts an event in an envelope.
    pub(crate) fn envelope<E: Event>(&self, origin: &Origin, event: &E, ago: TimeDelta) -> Envelope {
        Envelope::new(EventId::new(), origin, event, self.past(ago)).unwrap()
    }

    /// Hands many events to the broker as a relay does.
    pub(crate) async fn relay<E: Event>(&self, origin: &Origin, events: &[E]) {
        let now = self.past(TimeDelta::minutes(1));
        let mut tx = self.service.pool().begin().await.unwrap();
        taskman_messaging::outbox::record_all(&mut tx, origin, events, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Counts the rows of a company.
    pub(crate) async fn rows(&self, company: CompanyId) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE company_id = $1")
            .bind(company)
            .fetch_one(self.service.pool())
            .await
            .unwrap()
    }

    /// Waits until the auditor's company has that many rows.
    pub(crate) async fn stored(&self, rows: i64) {
        let company = self.auditor.company;
        wait_until(&format!("{rows} records"), || async { self.rows(company).await == rows }).await;
    }
}

/// The machine of a test may be slow; what is tested here is not how fast it is.
fn patient(config: &mut Everything) {
    config.database.acquire_timeout_ms = 20_000;
    config.database.lock_timeout_ms = 20_000;
    config.database.statement_timeout_ms = 20_000;
}

/// Returns an event about a task.
pub(crate) fn started(title: &str) -> TaskStarted {
    let by = UserId::new();
    TaskStarted {
        task: Task {
            id: TaskId::new(),
            project_id: ProjectId::new(),
            key: "CORE-1".into(),
            title: title.into(),
            status: TaskStatus::InProgress,
            priority: Priority::Low,
            creator_id: by,
            assignee_id: Some(by),
            due_date: None,
            version: 2,
        },
        from: TaskStatus::Todo,
        to: TaskStatus::InProgress,
        by,
        changed_fields: vec!["status".into()],
    }
}

/// Returns an event about a user with personal data.
pub(crate) fn created(company: CompanyId, username: &str) -> UserCreated {
    UserCreated {
        user: User {
            id: UserId::new(),
            company_id: company,
            email: format!("{username}@example.com"),
            username: username.into(),
            first_name: "Grace".into(),
            last_name: "Hopper".into(),
            department: "Research".into(),
            location: String::new(),
            locale: "en".into(),
            timezone: "UTC".into(),
            active: true,
            version: 1,
        },
        origin: UserOrigin::Invited,
        link_request_id: None,
    }
}

/// Returns the question for events of a type.
pub(crate) fn of_type(prefix: &str) -> QueryEventsRequest {
    QueryEventsRequest { event_type: prefix.into(), ..QueryEventsRequest::default() }
}

/// Returns an instant as the API has it.
pub(crate) fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap();
    prost_types::Timestamp { seconds: time.timestamp(), nanos }
}

/// Returns a text of the metadata, by its path.
pub(crate) fn text_of(event: &AuditEvent, path: &[&str]) -> Option<String> {
    use prost_types::value::Kind;
    let mut fields = event.metadata.as_ref()?;
    let (last, way) = path.split_last()?;
    for name in way {
        match fields.fields.get(*name)?.kind.as_ref()? {
            Kind::StructValue(inner) => fields = inner,
            _ => return None,
        }
    }
    match fields.fields.get(*last)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

/// Returns the ids of events.
pub(crate) fn ids(events: &[AuditEvent]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}

/// Returns what a program makes of a refusal: code and reason.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.expect_err("a refusal");
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

/// Returns the fields that a refusal says are wrong.
pub(crate) fn wrong_fields<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Vec<String> {
    let status = outcome.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let found = status.get_details_bad_request().expect("violations");
    found.field_violations.into_iter().map(|violation| violation.field).collect()
}
