//! The changes that the two streams bring, each the state that it leaves.

use chrono::{DateTime, Utc};
use taskman_ids::{CompanyId, PolicyId, RoleId, UserId};
use taskman_policy::PolicySource;

use crate::domain::rules::{Held, Role};
use crate::domain::subject::Subject;

/// A change with its number.
#[derive(Debug, Clone)]
pub struct Numbered<T> {
    /// The position: greater than that of every change before.
    pub position: i64,
    /// When it was committed.
    pub changed_at: DateTime<Utc>,
    /// What changed.
    pub change: T,
}

/// A change from iam-admin.
#[derive(Debug, Clone)]
pub struct IamChange {
    /// The company it is about.
    pub company: CompanyId,
    /// What changed.
    pub what: What,
}

/// What changed in a company.
#[derive(Debug, Clone)]
pub enum What {
    /// How its rules changed.
    Rules(RulesChange),
    /// All that a user holds now.
    Held(UserId, Vec<Held>),
    /// Everything of the company at once; what is not here is gone.
    Company(Box<CompanyState>),
}

/// How the rules of a company changed.
#[derive(Debug, Clone)]
pub enum RulesChange {
    /// A role as it is now.
    Role(Role),
    /// A role is gone, with its attachments and assignments.
    RoleDeleted(RoleId),
    /// A policy as it is now.
    Policy(Box<PolicySource>),
    /// A policy is gone, with its attachments.
    PolicyDeleted(PolicyId),
    /// All rules as they are now.
    All(Vec<Role>, Vec<PolicySource>),
}

/// Everything of a company.
#[derive(Debug, Clone, Default)]
pub struct CompanyState {
    /// Its roles.
    pub roles: Vec<Role>,
    /// Its policies.
    pub policies: Vec<PolicySource>,
    /// What its users hold.
    pub held: Vec<(UserId, Vec<Held>)>,
}

/// A change from the user service: the user as the change left it.
pub type UserChange = Subject;
