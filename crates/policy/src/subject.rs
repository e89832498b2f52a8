//! Holds what is known about the one who asks.

use chrono::{DateTime, Utc};
use taskman_ids::{CompanyId, RoleId, UserId};

/// What our own store knows about a subject; never taken from a token or from the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectFacts {
    /// The user.
    pub id: UserId,
    /// The user's company.
    pub company_id: CompanyId,
    /// The e-mail address.
    pub email: String,
    /// The department, where one is set.
    pub department: Option<String>,
    /// The location, where one is set.
    pub location: Option<String>,
    /// False for a deactivated or deleted user.
    pub active: bool,
    /// The roles assigned, expired ones too: expiry is judged at the time of the decision.
    pub roles: Vec<HeldRole>,
}

/// A role that a subject holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    /// The role.
    pub role_id: RoleId,
    /// Its name, which conditions see in `subject.roles`.
    pub name: String,
    /// When the assignment ends; the role is not held at that instant any more.
    pub expires_at: Option<DateTime<Utc>>,
}

impl SubjectFacts {
    /// Returns the roles that are held at `now`.
    pub fn roles_at(&self, now: DateTime<Utc>) -> impl Iterator<Item = &HeldRole> {
        self.roles.iter().filter(move |role| role.expires_at.is_none_or(|end| now < end))
    }
}
