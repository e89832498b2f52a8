//! Events of `audit.events`: what happened to the audit trail itself.

use chrono::{DateTime, Utc};
use taskman_ids::UserId;

use crate::Aggregate;
use crate::declare::event;

event! {
    "audit.queried", Audit, about |event| Aggregate::unversioned("users", event.user_id);
    /// Somebody read the audit trail.
    pub struct AuditQueried {
        /// Who.
        pub user_id: UserId,
        /// From when on.
        pub start: DateTime<Utc>,
        /// Until before when.
        pub end: DateTime<Utc>,
        /// The filters that were set, by name; their values are not repeated.
        pub filters: Vec<String>,
        /// How many events were returned.
        pub returned: i64,
    }
}
