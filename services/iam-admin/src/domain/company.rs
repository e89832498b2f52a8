//! A new company: its roles and policies, and its first administrator.

use chrono::{DateTime, Utc};
use taskman_events::iam::RoleAssigned;
use taskman_ids::{CompanyId, PolicyId, RoleId, UserId};

use super::change::{CompanyState, HeldRole, RoleState, State, SubjectState};
use super::defaults::Defaults;
use super::policy::Policy;
use super::role::{self, Role};

/// A company with its default roles and policies, and what is attached to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewCompany {
    /// The company.
    pub(crate) id: CompanyId,
    /// Its roles, the pseudo-role among them.
    pub(crate) roles: Vec<Role>,
    /// Its policies.
    pub(crate) policies: Vec<Policy>,
    /// Which policy is attached to which role.
    pub(crate) attached: Vec<(RoleId, PolicyId)>,
    /// Its first user, who gets the role `admin`.
    pub(crate) admin: UserId,
}

impl NewCompany {
    /// Makes roles and policies from the defaults; all ids follow from the company's.
    pub(crate) fn provision(company: CompanyId, admin: UserId, defaults: &Defaults, now: DateTime<Utc>) -> Self {
        Self {
            id: company,
            roles: defaults.roles(company, now).collect(),
            policies: defaults.policies(company, now).collect(),
            attached: defaults.attached(company).collect(),
            admin,
        }
    }

    /// Returns the id of the role `admin`, which the defaults always have.
    pub(crate) fn admin_role(&self) -> RoleId {
        Role::system_id(self.id, role::ADMIN)
    }

    /// Says what is so now.
    pub(crate) fn state(&self) -> State {
        let roles = self.roles.iter().map(|role| RoleState {
            id: role.id,
            name: role.name.clone(),
            policy_ids: self.attached.iter().filter(|(to, _)| *to == role.id).map(|(_, policy)| *policy).collect(),
        });
        let held = HeldRole { role_id: self.admin_role(), expires_at: None };
        State::Company(CompanyState {
            roles: roles.collect(),
            policies: self.policies.clone(),
            subjects: vec![SubjectState { user_id: self.admin, roles: vec![held] }],
        })
    }

    /// Tells that the first user administers the company.
    pub(crate) fn administered(&self) -> RoleAssigned {
        RoleAssigned {
            user_id: self.admin,
            role_id: self.admin_role(),
            role_name: role::ADMIN.to_owned(),
            expires_at: None,
            by: None,
        }
    }
}
