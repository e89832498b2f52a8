//! A change of who may do what, as the state that it leaves: what the stream to the authorization service is made of.
//!
//! States are kept as JSON for as long as somebody may ask for them, so fields are only added, with a default.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskman_ids::{CompanyId, PolicyId, RoleId, UserId};

use super::assignment::Assignment;
use super::policy::Policy;

/// A change under its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Without gaps, in commit order.
    pub(crate) position: i64,
    /// The company.
    pub(crate) company_id: CompanyId,
    /// When.
    pub(crate) changed_at: DateTime<Utc>,
    /// What is so now.
    pub(crate) state: State,
}

/// What a change leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// All that a user holds.
    Subject(SubjectState),
    /// Everything of a new company.
    Company(CompanyState),
}

/// All that a user holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubjectState {
    /// The user.
    pub(crate) user_id: UserId,
    /// The roles.
    pub(crate) roles: Vec<HeldRole>,
}

/// One role that a user holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldRole {
    /// The role.
    pub(crate) role_id: RoleId,
    /// When it ends, if it does.
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// A role with the policies attached to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleState {
    /// The role.
    pub(crate) id: RoleId,
    /// Its name.
    pub(crate) name: String,
    /// The policies.
    pub(crate) policy_ids: Vec<PolicyId>,
}

/// Everything of a company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CompanyState {
    /// Its roles.
    pub(crate) roles: Vec<RoleState>,
    /// Its policies.
    pub(crate) policies: Vec<Policy>,
    /// What its users hold.
    pub(crate) subjects: Vec<SubjectState>,
}

impl State {
    /// Says what a user holds.
    pub(crate) fn subject(user: UserId, held: &[Assignment]) -> Self {
        let roles = held.iter().map(|held| HeldRole { role_id: held.role.id, expires_at: held.expires_at });
        Self::Subject(SubjectState { user_id: user, roles: roles.collect() })
    }
}
