//! Events of `iam.events`: roles and who has them.

use chrono::{DateTime, Utc};
use taskman_ids::{RoleId, UserId};

use crate::Aggregate;
use crate::declare::event;

event! {
    "iam.role.created", Iam, about |event| Aggregate::versioned("roles", event.role_id, event.version);
    /// A role was created.
    pub struct RoleCreated {
        /// The role.
        pub role_id: RoleId,
        /// Its name.
        pub name: String,
        /// Whether it came with the company and cannot be changed.
        pub system: bool,
        /// From 1, one more with each change.
        pub version: i32,
    }
}

event! {
    "iam.role.assigned", Iam, about |event| Aggregate::unversioned("users", event.user_id);
    /// A user got a role.
    pub struct RoleAssigned {
        /// Who got it.
        pub user_id: UserId,
        /// Which role.
        pub role_id: RoleId,
        /// Its name at the time.
        pub role_name: String,
        /// Until when; for good when unset.
        pub expires_at: Option<DateTime<Utc>>,
        /// Who gave it; nobody when the system did.
        pub by: Option<UserId>,
    }
}

event! {
    "iam.role.revoked", Iam, about |event| Aggregate::unversioned("users", event.user_id);
    /// A role was taken from a user.
    pub struct RoleRevoked {
        /// Whom it was taken from.
        pub user_id: UserId,
        /// Which role.
        pub role_id: RoleId,
        /// Its name at the time.
        pub role_name: String,
        /// Who took it; nobody when the system did.
        pub by: Option<UserId>,
    }
}
