//! Says which rows of a list a subject may see, without deciding about each of them.
//!
//! A row is in the list exactly when [`decide`](crate::decide) would allow the action on it. Conditions have three outcomes
//! and filters have two, so every condition is split into two filters: where it is true and where it is false; where
//! neither holds it fails. A granting policy needs the first, a refusing one the second.

mod term;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

pub(crate) use self::term::Term;
use crate::attributes::ResourceAttributes;
use crate::condition::Attributes;
use crate::pattern::{ResourcePattern, Segment};
use crate::policy::{Effect, Policy, Status};
use crate::request::{Action, Resource};
use crate::snapshot::CompanySnapshot;
use crate::subject::SubjectFacts;
use crate::value::Value;

/// The column that holds the last segment of a resource's name.
pub const ID_COLUMN: &str = "id";

/// Which rows of a list are allowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// All of them.
    Always,
    /// None of them.
    Never,
    /// Those that the filter accepts.
    Filter(Filter),
    /// Not known without deciding about each.
    Opaque,
}

/// A test of one row; true or false, never null. A store renders it over an allow-list of columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one accepts.
    And(Vec<Filter>),
    /// At least one accepts.
    Or(Vec<Filter>),
    /// It does not accept.
    Not(Box<Filter>),
    /// The column is there and equals the value; `(column = value) IS TRUE`.
    Equals {
        /// An attribute of the resource, or [`ID_COLUMN`].
        column: &'static str,
        /// Of the column's type.
        value: Value,
    },
    /// The column is there and equals one of the values; `(column = ANY (values)) IS TRUE`.
    In {
        /// An attribute of the resource, or [`ID_COLUMN`].
        column: &'static str,
        /// Of the column's type; at least one.
        values: Vec<Value>,
    },
    /// The column is there; `column IS NOT NULL`.
    Has {
        /// An attribute of the resource.
        column: &'static str,
    },
}

impl Filter {
    /// Tests a row: what a store's rendering must agree with.
    pub fn accepts(&self, id: &str, attributes: &BTreeMap<String, Value>) -> bool {
        let own = Value::from(id);
        let cell = |column: &str| match column {
            ID_COLUMN => Some(&own),
            _ => attributes.get(column).filter(|value| **value != Value::Null),
        };
        match self {
            Self::And(parts) => parts.iter().all(|part| part.accepts(id, attributes)),
            Self::Or(parts) => parts.iter().any(|part| part.accepts(id, attributes)),
            Self::Not(part) => !part.accepts(id, attributes),
            Self::Equals { column, value } => cell(column) == Some(value),
            Self::In { column, values } => cell(column).is_some_and(|cell| values.contains(cell)),
            Self::Has { column } => cell(column).is_some(),
        }
    }
}

/// Plans which resources directly under `collection` (such as `tasks`) `subject` may do `action` to at `now`.
pub fn plan(
    snapshot: &CompanySnapshot,
    subject: &SubjectFacts,
    action: &Action,
    collection: &Resource,
    context: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Plan {
    if subject.company_id != snapshot.company_id() || !snapshot.is_active() || !subject.active {
        return Plan::Never;
    }
    let resource_attributes = &ResourceAttributes::NotFetched;
    let attributes = Attributes { subject, action, resource: collection, resource_attributes, context, now };
    let (mut granted, mut spared) = (Term::Never, Term::Always);
    for policy in snapshot.held_policies(subject, now) {
        if policy.status != Status::Active || !policy.actions.iter().any(|pattern| pattern.matches(action)) {
            continue;
        }
        let named = named(policy, collection, subject);
        if named == Term::Never {
            continue;
        }
        let (holds, fails) =
            policy.condition.as_ref().map_or((Term::Always, Term::Never), |condition| condition.split(&attributes));
        match policy.effect {
            Effect::Allow => granted = granted.or(named.and(holds)),
            Effect::Deny => spared = spared.and(named.negate().or(fails)),
        }
    }
    match granted.and(spared) {
        Term::Always => Plan::Always,
        Term::Never => Plan::Never,
        Term::Filter(filter) => Plan::Filter(filter),
        Term::Opaque => Plan::Opaque,
    }
}

/// Says for which ids the resource patterns of a policy match.
fn named(policy: &Policy, collection: &Resource, subject: &SubjectFacts) -> Term {
    let patterns = policy.resources.iter();
    patterns.fold(Term::Never, |term, pattern| term.or(item(pattern, collection, subject)))
}

fn item(pattern: &ResourcePattern, collection: &Resource, subject: &SubjectFacts) -> Term {
    let segments = pattern.segments();
    let substitution = crate::pattern::Substitution::new(subject.id, subject.company_id);
    let mut items = segments.items.iter();
    for segment in collection.segments() {
        match items.next() {
            Some(item) if item.matches(segment, Some(&substitution)) => {}
            None if segments.open => return Term::Always,
            _ => return Term::Never,
        }
    }
    match (items.next(), items.next()) {
        (None, _) if segments.open => Term::Always,
        (Some(item), None) => match item {
            Segment::Any => Term::Always,
            Segment::Literal(id) => Term::equals(ID_COLUMN, Value::from(&**id)),
            Segment::SubjectId => Term::equals(ID_COLUMN, Value::from(substitution.subject_id)),
            Segment::CompanyId => Term::equals(ID_COLUMN, Value::from(substitution.company_id)),
            Segment::Glob(_) => Term::Opaque,
        },
        _ => Term::Never,
    }
}
