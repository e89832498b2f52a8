//! Decides what a subject may do: patterns, policies, conditions and the decision over a snapshot.
//!
//! Pure: nothing here reads a clock, a store or a network. The authorization service feeds it facts, iam-admin validates
//! with it before saving, and both therefore agree on what a policy means.
//!
//! The story, bottom up: [`Action`], [`Resource`] and [`Subject`] are parsed request values; [`ActionPattern`] and
//! [`ResourcePattern`] say which of them a policy is about; a [`Condition`](condition::Condition) is the CEL expression
//! that must hold as well; a [`Policy`] is all of that, compiled; a [`CompanySnapshot`] is every policy of one company,
//! indexed; [`decide`] answers for one resource, and [`plan()`] for a list of them.
//!
//! ```text
//! Action Resource Subject      request.rs
//! ActionPattern ResourcePattern pattern.rs, pattern/segment.rs
//! Value                        value.rs
//! what conditions may read     attributes.rs
//! Condition                    condition.rs: limits -> parse -> check -> evaluate
//! Policy                       policy.rs
//! CompanySnapshot              snapshot.rs, snapshot/index.rs
//! decide                       decision.rs
//! plan                         plan.rs, condition/split.rs
//! ```

pub mod attributes;
pub mod condition;
pub mod decision;
pub mod pattern;
pub mod plan;
pub mod policy;
pub mod request;
pub mod snapshot;
pub mod subject;
pub mod value;

pub use attributes::ResourceAttributes;
pub use decision::{Decision, Outcome, PolicyRef, Reason, decide, decide_with_shadow};
pub use pattern::{ActionPattern, ResourcePattern, Substitution};
pub use plan::{Filter, Plan, plan};
pub use policy::{Effect, Policy, PolicyProblem, PolicySource, Status};
pub use request::{Action, Malformed, Resource, Subject};
pub use snapshot::{CompanySnapshot, SnapshotSource};
pub use subject::{HeldRole, SubjectFacts};
pub use value::Value;
