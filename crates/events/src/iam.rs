//! Events of `iam.events`: roles, policies and who has them.

use chrono::{DateTime, Utc};
use taskman_ids::{PolicyId, RoleId, UserId};

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

event! {
    "iam.role.expired", Iam, about |event| Aggregate::unversioned("users", event.user_id);
    /// A role that was given for a time came to its end.
    pub struct RoleExpired {
        /// Who had it.
        pub user_id: UserId,
        /// Which role.
        pub role_id: RoleId,
        /// Its name at the time.
        pub role_name: String,
        /// When it ended.
        pub expired_at: DateTime<Utc>,
    }
}

event! {
    "iam.policy.created", Iam, about |event| Aggregate::versioned("policies", event.policy_id, event.version);
    /// A policy was created.
    pub struct PolicyCreated {
        /// The policy.
        pub policy_id: PolicyId,
        /// Its name.
        pub name: String,
        /// `allow` or `deny`.
        pub effect: String,
        /// `draft`, `shadow`, `active` or `disabled`.
        pub status: String,
        /// From 1, one more with each change.
        pub version: i32,
    }
}
