//! Events of `authz.events`: decisions worth knowing about.

use chrono::{DateTime, Utc};
use taskman_ids::{DecisionId, UserId};

use crate::Aggregate;
use crate::declare::event;

event! {
    "authz.decision.denied", Authz, about |event| Aggregate::unversioned("decisions", event.decision_id);
    /// A user was refused something; equal refusals close together are one event with a count.
    pub struct DecisionDenied {
        /// The first of the decisions.
        pub decision_id: DecisionId,
        /// Who was refused.
        pub user_id: UserId,
        /// What they wanted to do.
        pub action: String,
        /// To what.
        pub resource: String,
        /// Why, as stable words.
        pub reasons: Vec<String>,
        /// How often.
        pub count: i64,
        /// When first.
        pub first_at: DateTime<Utc>,
        /// When last.
        pub last_at: DateTime<Utc>,
    }
}
