//! Combines filters, and keeps them small.

use super::Filter;
use crate::value::Value;

/// The most tests in a filter; one that would be larger is opaque.
const MAX_TESTS: usize = 256;

/// A filter that may be trivial or not known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Always,
    Never,
    Filter(Filter),
    Opaque,
}

impl Term {
    pub(crate) const fn equals(column: &'static str, value: Value) -> Self {
        Self::Filter(Filter::Equals { column, value })
    }

    pub(crate) const fn has(column: &'static str) -> Self {
        Self::Filter(Filter::Has { column })
    }

    /// What is certain absorbs what is not known.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, term) | (term, Self::Always) => term,
            (Self::Opaque, _) | (_, Self::Opaque) => Self::Opaque,
            (Self::Filter(one), Self::Filter(other)) => {
                let parts = |filter| match filter {
                    Filter::And(parts) => parts,
                    single => vec![single],
                };
                bounded(Filter::And(join(parts(one), parts(other))))
            }
        }
    }

    /// What is certain absorbs what is not known.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, term) | (term, Self::Never) => term,
            (Self::Opaque, _) | (_, Self::Opaque) => Self::Opaque,
            (Self::Filter(one), Self::Filter(other)) => {
                let parts = |filter| match filter {
                    Filter::Or(parts) => parts,
                    single => vec![single],
                };
                bounded(Filter::Or(join(parts(one), parts(other))))
            }
        }
    }

    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Filter(Filter::Not(inner)) => Self::Filter(*inner),
            Self::Filter(filter) => Self::Filter(Filter::Not(Box::new(filter))),
            Self::Opaque => Self::Opaque,
        }
    }
}

/// Appends what is not there yet.
fn join(mut parts: Vec<Filter>, more: Vec<Filter>) -> Vec<Filter> {
    for part in more {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

fn bounded(filter: Filter) -> Term {
    let filter = match filter {
        Filter::And(mut parts) | Filter::Or(mut parts) if parts.len() == 1 => parts.remove(0),
        other => other,
    };
    if tests(&filter) > MAX_TESTS { Term::Opaque } else { Term::Filter(filter) }
}

fn tests(filter: &Filter) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(tests).sum(),
        Filter::Not(part) => tests(part),
        Filter::Equals { .. } | Filter::Has { .. } => 1,
        Filter::In { values, .. } => values.len(),
    }
}
