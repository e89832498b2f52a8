//! The use cases of the user service: one file for each RPC.

pub mod activate_user;
pub mod create_user;
pub mod deactivate_user;
pub mod get_assignable;
pub mod get_login_subject;
pub mod get_subject;
pub mod get_user;
pub(crate) mod idempotent;
pub mod list_users;
pub mod register_company;
pub mod resource_attributes;
pub mod watch_changes;

use taskman_chassis::Kit;
use taskman_clock::SharedClock;
use taskman_messaging::Outbox;
use taskman_paging::TokenSealer;
use taskman_postgres::Db;
use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_proto::iam::iam_admin_service_client::IamAdminServiceClient;
use taskman_rpc::client::Channel;
use tokio_util::sync::CancellationToken;

use self::watch_changes::Changes;

/// What the use cases work with.
#[derive(Debug)]
pub struct App {
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) clock: SharedClock,
    pub(crate) pages: TokenSealer,
    pub(crate) authentication: AuthenticationServiceClient<Channel>,
    pub(crate) iam: IamAdminServiceClient<Channel>,
    pub(crate) changes: Changes,
    pub(crate) stopping: CancellationToken,
}

impl App {
    /// Takes from the kit what the use cases need.
    pub fn new(kit: &Kit) -> anyhow::Result<Self> {
        Ok(Self {
            db: kit.db()?,
            outbox: kit.outbox()?,
            clock: kit.clock(),
            pages: kit.page_tokens()?,
            authentication: AuthenticationServiceClient::new(kit.channel("authentication")?),
            iam: IamAdminServiceClient::new(kit.channel("iam-admin")?),
            changes: Changes::default(),
            stopping: kit.stopping(),
        })
    }

    /// Wakes the relay and the streams after a commit that they have to hear of.
    pub(crate) fn committed(&self) {
        self.outbox.wake();
        self.changes.wake();
    }
}
