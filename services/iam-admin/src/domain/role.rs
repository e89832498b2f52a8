//! A role: what policies are attached to and users hold.

use chrono::{DateTime, Utc};
use taskman_events::iam::RoleCreated;
use taskman_ids::{CompanyId, RoleId};

/// The role that may do everything.
pub(crate) const ADMIN: &str = "admin";
/// The role of users who are invited.
pub(crate) const DEFAULT: &str = "developer";

/// A role of a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its id.
    pub(crate) id: RoleId,
    /// The company.
    pub(crate) company_id: CompanyId,
    /// Unique in the company, in lower case.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: String,
    /// Whether it came with the company and cannot be changed.
    pub(crate) system: bool,
    /// Whether everybody has it and nobody is given it.
    pub(crate) pseudo: bool,
    /// When it was made.
    pub(crate) created_at: DateTime<Utc>,
    /// From 1, one more with each change.
    pub(crate) version: i32,
}

impl Role {
    /// Derives the id of a role that comes with the company, so that provisioning can be repeated.
    pub(crate) fn system_id(company: CompanyId, name: &str) -> RoleId {
        RoleId::derived(company.as_uuid(), &format!("role:{name}"))
    }

    /// Says whether holders administer the company. System roles keep their names, and no other role gets them.
    pub(crate) fn is_admin(&self) -> bool {
        self.system && self.name == ADMIN
    }

    /// Tells that the role was made.
    pub(crate) fn created(&self) -> RoleCreated {
        RoleCreated { role_id: self.id, name: self.name.clone(), system: self.system, version: self.version }
    }
}
