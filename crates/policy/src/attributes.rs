//! Lists what a condition may read, each with its type: the table that the checker and the evaluator share.
//!
//! A new attribute of a resource is one line in [`RESOURCE_ATTRIBUTES`] and a value in the owning service's answer.

use std::collections::BTreeMap;

use crate::value::Value;

/// The most elements a list may have; a longer one is an error where it is read.
pub const MAX_LIST: usize = 200;

/// The type of a value, as far as it is known before evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A text.
    String,
    /// A point in time.
    Timestamp,
    /// A length of time.
    Duration,
    /// Nothing.
    Null,
    /// Values in order.
    List(Box<Type>),
    /// Values by name.
    Map(Box<Type>),
    /// Not known before evaluation.
    Dyn,
}

/// An attribute of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectAttribute {
    /// `subject.id`.
    Id,
    /// `subject.company_id`.
    CompanyId,
    /// `subject.email`.
    Email,
    /// `subject.roles`: the names of the roles held now.
    Roles,
    /// `subject.department`.
    Department,
    /// `subject.location`.
    Location,
}

impl SubjectAttribute {
    /// Every attribute of the subject, by name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("company_id", Self::CompanyId),
        ("department", Self::Department),
        ("email", Self::Email),
        ("id", Self::Id),
        ("location", Self::Location),
        ("roles", Self::Roles),
    ];

    /// Finds an attribute by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, attribute)| *attribute)
    }

    /// Returns the name of the attribute, such as `department`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, attribute)| *attribute == self).map_or("", |(name, _)| name)
    }

    /// Returns the type of the attribute.
    pub fn value_type(self) -> Type {
        match self {
            Self::Roles => Type::List(Box::new(Type::String)),
            _ => Type::String,
        }
    }
}

/// The type of a resource attribute; a subset of [`Type`] that fits into a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// True or false.
    Bool,
    /// A text.
    String,
    /// A point in time.
    Timestamp,
    /// Texts in order.
    Strings,
}

impl AttributeType {
    /// Returns the type that the checker works with.
    pub fn value_type(self) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::String => Type::String,
            Self::Timestamp => Type::Timestamp,
            Self::Strings => Type::List(Box::new(Type::String)),
        }
    }

    /// Tells whether `value` is of this type.
    pub fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool, Value::Bool(_))
            | (Self::String, Value::String(_))
            | (Self::Timestamp, Value::Timestamp(_)) => true,
            (Self::Strings, Value::List(items)) => items.iter().all(|item| matches!(item, Value::String(_))),
            _ => false,
        }
    }
}

/// Every attribute that the services which own resources answer, by name. `resource.type` and `resource.id` come from the
/// request and are not among them.
pub const RESOURCE_ATTRIBUTES: [(&str, AttributeType); 14] = [
    ("assignee_id", AttributeType::String),
    ("billable", AttributeType::Bool),
    ("created_at", AttributeType::Timestamp),
    ("creator_id", AttributeType::String),
    ("department", AttributeType::String),
    ("due_date", AttributeType::Timestamp),
    ("labels", AttributeType::Strings),
    ("location", AttributeType::String),
    ("owner", AttributeType::String),
    ("parent_id", AttributeType::String),
    ("priority", AttributeType::String),
    ("project_id", AttributeType::String),
    ("status", AttributeType::String),
    ("watchers", AttributeType::Strings),
];

/// Finds a resource attribute by its name.
pub fn resource_attribute(name: &str) -> Option<(&'static str, AttributeType)> {
    RESOURCE_ATTRIBUTES.iter().find(|(known, _)| *known == name).copied()
}

/// What the owning service said about the resource of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceAttributes {
    /// Nobody asked yet.
    NotFetched,
    /// There is no such resource.
    Absent,
    /// The question failed.
    Failed,
    /// The resource has these attributes; one that is null or not here is missing.
    Known(BTreeMap<String, Value>),
}
