//! The roles of a new company and what they may do, as `data/default_roles.toml` says.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use taskman_ids::{CompanyId, PolicyId, RoleId};
use taskman_policy::{Effect, Status};

use super::policy::Policy;
use super::role::{self, Role};

const FILE: &str = include_str!("../../data/default_roles.toml");

/// The default roles with their policies.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// Actions that no role but `admin` is granted.
    #[cfg_attr(not(test), expect(dead_code, reason = "says to people, and to a test, what is left out on purpose"))]
    administrators_only: Vec<String>,
    role: Vec<DefaultRole>,
    policy: Vec<DefaultPolicy>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultRole {
    name: String,
    description: String,
    #[serde(default)]
    pseudo: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultPolicy {
    name: String,
    roles: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Option<String>,
}

/// Says what is wrong with the data file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefaultsInvalid {
    /// It cannot be read.
    #[error("the default roles cannot be read")]
    Unreadable(#[from] toml::de::Error),
    /// A role is needed and not there.
    #[error("there is no default role {0}")]
    NoRole(String),
}

impl Defaults {
    /// Reads the file that is compiled into the program.
    pub(crate) fn load() -> Result<Self, DefaultsInvalid> {
        let defaults: Self = toml::from_str(FILE)?;
        let needed = [role::ADMIN, role::DEFAULT, taskman_policy::snapshot::EVERYONE];
        let named = defaults.policy.iter().flat_map(|policy| &policy.roles).map(String::as_str);
        let missing = needed.into_iter().chain(named).find(|name| !defaults.role.iter().any(|role| role.name == *name));
        match missing.map(str::to_owned) {
            Some(missing) => Err(DefaultsInvalid::NoRole(missing)),
            None => Ok(defaults),
        }
    }

    /// Makes the roles for a company.
    pub(crate) fn roles(&self, company: CompanyId, now: DateTime<Utc>) -> impl Iterator<Item = Role> {
        self.role.iter().map(move |role| Role {
            id: Role::system_id(company, &role.name),
            company_id: company,
            name: role.name.clone(),
            description: role.description.clone(),
            system: true,
            pseudo: role.pseudo,
            created_at: now,
            version: 1,
        })
    }

    /// Makes the policies for a company.
    pub(crate) fn policies(&self, company: CompanyId, now: DateTime<Utc>) -> impl Iterator<Item = Policy> {
        self.policy.iter().map(move |policy| Policy {
            id: Policy::system_id(company, &policy.name),
            name: policy.name.clone(),
            effect: Effect::Allow,
            actions: policy.actions.clone(),
            resources: policy.resources.clone(),
            condition: policy.condition.clone(),
            status: Status::Active,
            created_at: now,
            version: 1,
        })
    }

    /// Returns which policy is attached to which role of a company.
    pub(crate) fn attached(&self, company: CompanyId) -> impl Iterator<Item = (RoleId, PolicyId)> {
        self.policy.iter().flat_map(move |policy| {
            let id = Policy::system_id(company, &policy.name);
            policy.roles.iter().map(move |role| (Role::system_id(company, role), id))
        })
    }
}

#[cfg(test)]
mod tests;
