//! Events of `iam.events` that only this service knows so far.

use serde::{Deserialize, Serialize};
use taskman_events::{Aggregate, Event, Exchange};
use taskman_ids::{PolicyId, RoleId, UserId};

/// A policy was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyCreated {
    /// The policy.
    pub(crate) policy_id: PolicyId,
    /// Its name.
    pub(crate) name: String,
    /// `allow` or `deny`.
    pub(crate) effect: String,
    /// `draft`, `shadow`, `active` or `disabled`.
    pub(crate) status: String,
    /// From 1, one more with each change.
    pub(crate) version: i32,
}

impl Event for PolicyCreated {
    const KEY: &'static str = "iam.policy.created";
    const EXCHANGE: Exchange = Exchange::Iam;
    const PERSONAL: bool = false;

    fn aggregate(&self) -> Aggregate {
        Aggregate::versioned("policies", self.policy_id, self.version)
    }
}

/// A role that was given for a time came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleExpired {
    /// Who had it.
    pub(crate) user_id: UserId,
    /// Which role.
    pub(crate) role_id: RoleId,
    /// Its name at the time.
    pub(crate) role_name: String,
    /// When it ended.
    pub(crate) expired_at: chrono::DateTime<chrono::Utc>,
}

impl Event for RoleExpired {
    const KEY: &'static str = "iam.role.expired";
    const EXCHANGE: Exchange = Exchange::Iam;
    const PERSONAL: bool = false;

    fn aggregate(&self) -> Aggregate {
        Aggregate::unversioned("users", self.user_id)
    }
}
