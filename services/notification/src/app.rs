//! The use cases of the notification service.

pub mod get_notification_history;
pub mod send_email;

use std::sync::Arc;
use std::time::Duration;

use taskman_access::Access;
use taskman_chassis::Kit;
use taskman_clock::SharedClock;
use taskman_messaging::Outbox;
use taskman_paging::TokenSealer;
use taskman_postgres::Db;
use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_rpc::client::Channel;
use tokio::sync::Notify;

use crate::config::Config;
use crate::mailer::Mailer;

/// What the use cases, the consumer and the jobs work with.
#[derive(Debug)]
pub struct App {
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) clock: SharedClock,
    pub(crate) pages: TokenSealer,
    pub(crate) access: Access,
    pub(crate) authentication: AuthenticationServiceClient<Channel>,
    pub(crate) users: UserServiceClient<Channel>,
    pub(crate) mailer: Mailer,
    pub(crate) public_url: String,
    pub(crate) retry_delays: Vec<Duration>,
    pub(crate) poll: Duration,
    /// Wakes the sender when there is something new.
    pub(crate) due: Arc<Notify>,
}

impl App {
    /// Takes from the kit what the use cases need.
    pub fn new(kit: &Kit, config: Config) -> anyhow::Result<Self> {
        Ok(Self {
            db: kit.db()?,
            outbox: kit.outbox()?,
            clock: kit.clock(),
            pages: kit.page_tokens()?,
            access: kit.access(),
            authentication: AuthenticationServiceClient::new(kit.channel("authentication")?),
            users: UserServiceClient::new(kit.channel("user")?),
            mailer: Mailer::new(&config.smtp)?,
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            retry_delays: config.retry_delays_ms.into_iter().map(Duration::from_millis).collect(),
            poll: Duration::from_millis(config.poll_ms),
            due: Arc::new(Notify::new()),
        })
    }
}
