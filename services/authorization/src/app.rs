//! The use cases of the authorization service: one file for each RPC, and what they share.

pub(crate) mod check;
pub(crate) mod decide;
pub(crate) mod decide_batch;
pub(crate) mod judge;
pub(crate) mod load;
pub(crate) mod standpoint;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskman_chassis::Kit;
use taskman_clock::SharedClock;
use taskman_ids::UserId;
use taskman_messaging::Outbox;
use taskman_postgres::Db;
use taskman_proto::authorization::resource_attributes_service_client::ResourceAttributesServiceClient;
use taskman_proto::iam::iam_admin_service_client::IamAdminServiceClient;
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_rpc::client::Channel;

use crate::clients::{Attributes, AttributesKey};
use crate::config::Config;
use crate::domain::denial::Denials;
use crate::domain::subject::Subject;
use crate::flight::SingleFlight;
use crate::projection::Projection;

/// What the use cases work with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) clock: SharedClock,
    pub(crate) projection: Projection,
    denials: Mutex<Denials>,
    pub(crate) users: UserServiceClient<Channel>,
    pub(crate) iam: IamAdminServiceClient<Channel>,
    pub(crate) user_attributes: ResourceAttributesServiceClient<Channel>,
    pub(crate) iam_attributes: ResourceAttributesServiceClient<Channel>,
    pub(crate) task_attributes: ResourceAttributesServiceClient<Channel>,
    pub(crate) asked_subjects: SingleFlight<UserId, Option<Arc<Subject>>>,
    pub(crate) asked_attributes: SingleFlight<AttributesKey, Attributes>,
}

impl App {
    /// Takes from the kit what the use cases need. The projection is empty; see [`load`].
    pub(crate) fn new(kit: &Kit, config: Config) -> anyhow::Result<Self> {
        let (user, iam, task) = (kit.channel("user")?, kit.channel("iam-admin")?, kit.channel("task")?);
        Ok(Self {
            db: kit.db()?,
            outbox: kit.outbox()?,
            clock: kit.clock(),
            projection: Projection::empty(),
            denials: Mutex::new(Denials::new(config.kept_denials)),
            users: UserServiceClient::new(user.clone()),
            iam: IamAdminServiceClient::new(iam.clone()),
            user_attributes: ResourceAttributesServiceClient::new(user),
            iam_attributes: ResourceAttributesServiceClient::new(iam),
            task_attributes: ResourceAttributesServiceClient::new(task),
            asked_subjects: SingleFlight::new(),
            asked_attributes: SingleFlight::new(),
            config,
        })
    }

    /// Returns the denials that are not recorded yet.
    pub(crate) fn denials(&self) -> MutexGuard<'_, Denials> {
        self.denials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
