//! What the IAM admin service does with others' events.

pub(crate) mod user_created;

use anyhow::Context as _;
use taskman_chassis::Kit;
use taskman_events::user::UserCreated;
use taskman_messaging::{Consumer, Handlers};

/// Gives users who are invited their first role.
pub(crate) fn default_role(kit: &Kit) -> anyhow::Result<Consumer> {
    let subscription = taskman_events::subscription("iam-admin.default-role")
        .context("the queue iam-admin.default-role is not declared")?;
    let handlers = Handlers::new().on::<UserCreated>(user_created::GiveDefaultRole::new(kit.clock()));
    Ok(Consumer::new(kit.db()?, kit.messaging(), kit.name(), subscription, handlers).with_clock(kit.clock()))
}
