//! A started notification service with a mail server of its own, and what is asked of them again and again.

use chrono::TimeDelta;
use secrecy::SecretString;
use taskman_chassis::{Listeners, Process, Running};
use taskman_clock::Clock as _;
use taskman_devstack::{MailCatcher, Message};
use taskman_events::auth::PasswordReset;
use taskman_events::{Envelope, Event};
use taskman_identity::Caller;
use taskman_ids::{EventId, LinkRequestId, UserId};
use taskman_notification::{NotificationService, config::Config};
use taskman_proto::authentication::authentication_service_server::AuthenticationServiceServer;
use taskman_proto::notification::notification_service_client::NotificationServiceClient;
use taskman_proto::notification::{SendEmailRequest, SendEmailResponse};
use taskman_proto::user::user_service_server::UserServiceServer;
use taskman_rpc::origin;
use taskman_testkit::fakes::{Authorization, Fake};
use taskman_testkit::{Calls, TestService, caller, caller_of, fleet_keys, secret_key, service, wait_for, wait_until};
use tempfile::TempDir;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::fakes::{Others, address};

/// The whole configuration of a notification service.
pub(crate) type Everything = taskman_chassis::Config<Config>;

/// A client of the notification service.
pub(crate) type Client = NotificationServiceClient<Calls>;

/// A notification service at work.
pub(crate) struct World {
    /// The service.
    pub(crate) service: TestService,
    /// The services beside it.
    pub(crate) others: Others,
    /// What the caller may do; everything at first.
    pub(crate) authorization: Authorization,
    /// The mail server.
    pub(crate) mails: MailCatcher,
    /// A user, in whose company all happens.
    pub(crate) caller: Caller,
    _folder: TempDir,
}

/// How far a mail is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) id: taskman_ids::NotificationId,
    pub(crate) status: String,
    pub(crate) error: String,
    pub(crate) attempts: i32,
}

impl World {
    /// Starts the service; a mail that fails is tried twice more.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the service with another configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Everything)) -> Self {
        let folder = TempDir::new().unwrap();
        let mails = MailCatcher::start(folder.path()).await.unwrap();
        let (others, authorization, caller) = (Others::default(), Authorization::allowing(), caller());
        let service = service::<NotificationService>()
            .configure(|config| {
                usual(config, &mails);
                change(config);
            })
            .upstream("user", UserServiceServer::new(others.clone()))
            .await
            .upstream("authentication", AuthenticationServiceServer::new(others.clone()))
            .await
            .authorization(&authorization)
            .start()
            .await;
        let world = Self { service, others, authorization, mails, caller, _folder: folder };
        world.at_work().await;
        world
    }

    /// Waits until an event has gone all the way: what is published from now on has a queue.
    async fn at_work(&self) {
        let stranger = caller();
        let event = PasswordReset { user_id: stranger.user, link_request_id: LinkRequestId::new() };
        let mut tx = self.service.pool().begin().await.unwrap();
        let now = self.service.clock().now();
        taskman_messaging::outbox::record(&mut tx, &origin(&stranger), &event, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(self.ended(stranger.user).await.status, "suppressed");
    }

    /// Starts another replica of the service, on the same stores and with the same clock.
    pub(crate) async fn replica(&self) -> (Running, Fake) {
        let mut config = Everything::default();
        usual(&mut config, &self.mails);
        let users = Fake::serve(UserServiceServer::new(self.others.clone())).await;
        for peer in ["authentication", "authorization"] {
            config.upstreams.insert(peer.into(), "http://127.0.0.1:1".into());
        }
        config.upstreams.insert("user".into(), users.url());
        let name: String =
            sqlx::query_scalar("SELECT current_database()").fetch_one(self.service.pool()).await.unwrap();
        let (server, _) = self.service.space().endpoints().postgres_url.rsplit_once('/').unwrap();
        config.database.url = SecretString::from(format!("{server}/{name}"));
        config.redis.url = Some(self.service.space().redis_url());
        config.rabbitmq.url = self.service.space().amqp_url();
        config.identity.fleet_keys = Some(fleet_keys()["notification"].clone().into());
        config.identity.secret_key = Some(secret_key());
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        "127.0.0.1:0".clone_into(&mut config.server.admin_listen);
        let clock = std::sync::Arc::new(self.service.clock().clone());
        let process = Process { clock, ..Process::new(|_| String::new()) };
        let listeners = Listeners::bind("notification", &config.server).await.unwrap();
        let running = taskman_chassis::start::<NotificationService>(config, listeners, process).await.unwrap();
        wait_until("the replica", || async { running.is_ready() }).await;
        (running, users)
    }

    /// Adds a user of the caller's company.
    pub(crate) fn colleague(&self) -> UserId {
        self.others.add(self.caller.company)
    }

    /// Publishes an event of the caller's.
    pub(crate) async fn tell<E: Event>(&self, event: &E) -> Envelope {
        let now = self.service.clock().now();
        let envelope = Envelope::new(EventId::new(), &origin(&self.caller), event, now).unwrap();
        self.service.publish(&envelope).await;
        envelope
    }

    /// Tells of something that `user` gets a mail about, and waits for it: whatever came before is done.
    pub(crate) async fn tell_and_wait(&self, user: UserId) {
        self.tell(&PasswordReset { user_id: user, link_request_id: LinkRequestId::new() }).await;
        self.mail_to(user).await;
    }

    /// Returns a client for `caller`.
    pub(crate) fn client(&self, caller: &Caller) -> Client {
        NotificationServiceClient::new(self.service.caller(caller))
    }

    /// Has the announcement sent to `recipients`.
    pub(crate) async fn announce(&self, recipients: &[UserId]) -> Vec<String> {
        self.send(announcement(recipients)).await.unwrap().notification_ids
    }

    /// Sends a request of the caller's.
    pub(crate) async fn send(&self, request: SendEmailRequest) -> Result<SendEmailResponse, Status> {
        Ok(self.client(&self.caller).send_email(request).await?.into_inner())
    }

    /// Returns the mails that a user has got.
    pub(crate) fn mails_to(&self, user: UserId) -> Vec<Message> {
        self.mails.messages_to(&address(user))
    }

    /// Waits for the one mail to a user.
    pub(crate) async fn mail_to(&self, user: UserId) -> Message {
        let mails = wait_for("a mail", || async { Some(self.mails_to(user)).filter(|mails| !mails.is_empty()) }).await;
        assert_eq!(mails.len(), 1);
        mails.into_iter().next().unwrap()
    }

    /// Moves the clock on until a mail to `user` has come.
    pub(crate) async fn mail_in_time(&self, user: UserId) -> Message {
        wait_until("a mail after a while", || async {
            self.service.clock().advance(TimeDelta::seconds(1));
            !self.mails_to(user).is_empty()
        })
        .await;
        self.mail_to(user).await
    }

    /// Returns how far the mails to a user are.
    pub(crate) async fn rows(&self, user: UserId) -> Vec<Row> {
        sqlx::query_as("SELECT id, status, error, attempts FROM notification_logs WHERE recipient_id = $1")
            .bind(user)
            .fetch_all(self.service.pool())
            .await
            .unwrap()
    }

    /// Waits until the one mail to a user is as it `is` to be.
    pub(crate) async fn row(&self, user: UserId, what: &str, is: impl Fn(&Row) -> bool) -> Row {
        let rows = wait_for(what, || async { Some(self.rows(user).await).filter(|rows| rows.iter().any(&is)) }).await;
        assert_eq!(rows.len(), 1);
        rows.into_iter().next().unwrap()
    }

    /// Waits until the one mail to a user is sent or given up.
    pub(crate) async fn ended(&self, user: UserId) -> Row {
        self.row(user, "the end of a mail", |row| matches!(row.status.as_str(), "sent" | "failed" | "suppressed")).await
    }

    /// Waits until the one mail to a user has failed `attempts` times and waits for the next.
    pub(crate) async fn set_back(&self, user: UserId, attempts: i32) -> Row {
        self.row(user, "a setback", |row| row.status == "pending" && row.attempts == attempts).await
    }

    /// Returns how the attempts to write to a user ended, in their order.
    pub(crate) async fn attempts(&self, user: UserId) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT outcome FROM notification_attempts JOIN notification_logs ON id = notification_id
             WHERE recipient_id = $1 ORDER BY attempt",
        )
        .bind(user)
        .fetch_all(self.service.pool())
        .await
        .unwrap()
    }

    /// Returns the events of one sort that the service has recorded.
    pub(crate) async fn events<E: Event>(&self) -> Vec<E> {
        let events = self.service.events().await;
        events.iter().filter(|event| event.routing_key() == E::KEY).map(|event| event.data().unwrap()).collect()
    }

    /// Returns all that the service has stored, as text.
    pub(crate) async fn stored(&self) -> String {
        let mut text = String::new();
        for question in [
            "SELECT COALESCE(string_agg(row::text, ' '), '') FROM notification_logs row",
            "SELECT COALESCE(string_agg(row::text, ' '), '') FROM notification_attempts row",
            "SELECT COALESCE(string_agg(row::text, ' '), '') FROM inbox row",
            "SELECT COALESCE(string_agg(convert_from(payload, 'UTF8'), ' '), '') FROM outbox",
            "SELECT COALESCE(string_agg(row::text, ' '), '') FROM dead_letters row",
        ] {
            text += &sqlx::query_scalar::<_, String>(question).fetch_one(self.service.pool()).await.unwrap();
        }
        text
    }

    /// Ends in order.
    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

fn usual(config: &mut Everything, mails: &MailCatcher) {
    config.service.smtp.url = SecretString::from(format!("smtp://{}", mails.smtp_addr()));
    config.service.public_url = "https://taskman.example.com/".into();
    config.service.retry_delays_ms = vec![1_000, 2_000];
    config.service.poll_ms = 20;
}

/// Returns another caller of the same company.
pub(crate) fn neighbour(caller: &Caller) -> Caller {
    caller_of(caller.company)
}

/// The announcement that the tests have sent.
pub(crate) fn announcement(recipients: &[UserId]) -> SendEmailRequest {
    let variables = [("title", "We move"), ("text", "To a new office.")];
    SendEmailRequest {
        recipient_ids: recipients.iter().map(ToString::to_string).collect(),
        template: "announcement".into(),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        request_id: String::new(),
    }
}

/// Returns the names of the fields that a refused request has wrong.
pub(crate) fn wrong_fields(refused: &Status) -> Vec<String> {
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

/// Returns the reason of a refusal.
pub(crate) fn reason(refused: &Status) -> String {
    refused.get_details_error_info().unwrap().reason
}
