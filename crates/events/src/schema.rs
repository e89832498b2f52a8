//! JSON Schemas of the payloads, made from the same declarations as the structs.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use taskman_ids::{
    CompanyId, DecisionId, EventId, LinkRequestId, NotificationId, PolicyId, ProjectId, RequestId, RoleId, SessionId,
    TaskId, UserId,
};

/// A type that can stand in an event.
pub trait Schema {
    /// Whether the value may be missing.
    const OPTIONAL: bool = false;
    /// Whether anything inside is about a person.
    const PERSONAL: bool = false;

    /// Returns the JSON Schema of the type.
    fn schema() -> Value;
}

/// One declared field of an object.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) schema: Value,
    pub(crate) optional: bool,
    pub(crate) personal: bool,
}

/// Builds the schema of an object. Unknown properties are allowed: fields are added over time.
pub(crate) fn object(doc: &str, properties: Vec<Property>) -> Value {
    let required: Vec<&str> = properties.iter().filter(|p| !p.optional).map(|p| p.name).collect();
    let mut by_name = Map::new();
    for property in properties {
        let mut schema = property.schema;
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), property.doc.trim().into());
            if property.personal {
                object.insert("x-pii".to_owned(), true.into());
            }
        }
        by_name.insert(property.name.to_owned(), schema);
    }
    json!({ "type": "object", "description": doc.trim(), "properties": by_name, "required": required })
}

/// Collects the JSON pointers of everything marked `x-pii` in `schema`.
pub(crate) fn personal_pointers(schema: &Value, at: &str, found: &mut Vec<String>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        let pointer = format!("{at}/{name}");
        if property.get("x-pii").is_some() {
            found.push(pointer);
        } else {
            personal_pointers(property, &pointer, found);
        }
    }
}

macro_rules! schema {
    ($($ty:ty => $schema:tt),* $(,)?) => {
        $(impl Schema for $ty {
            fn schema() -> Value {
                json!($schema)
            }
        })*
    };
}

schema! {
    bool => {"type": "boolean"},
    i32 => {"type": "integer"},
    i64 => {"type": "integer"},
    String => {"type": "string"},
    Decimal => {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"},
    IpAddr => {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    DateTime<Utc> => {"type": "string", "format": "date-time"},
    CompanyId => {"type": "string", "format": "uuid"},
    DecisionId => {"type": "string", "format": "uuid"},
    EventId => {"type": "string", "format": "uuid"},
    LinkRequestId => {"type": "string", "format": "uuid"},
    NotificationId => {"type": "string", "format": "uuid"},
    PolicyId => {"type": "string", "format": "uuid"},
    ProjectId => {"type": "string", "format": "uuid"},
    RequestId => {"type": "string", "format": "uuid"},
    RoleId => {"type": "string", "format": "uuid"},
    SessionId => {"type": "string", "format": "uuid"},
    TaskId => {"type": "string", "format": "uuid"},
    UserId => {"type": "string", "format": "uuid"},
}

impl<T: Schema> Schema for Option<T> {
    const OPTIONAL: bool = true;
    const PERSONAL: bool = T::PERSONAL;

    fn schema() -> Value {
        let mut schema = T::schema();
        if let Some(plain) = schema.get("type").cloned() {
            schema["type"] = json!([plain, "null"]);
        }
        schema
    }
}

impl<T: Schema> Schema for Vec<T> {
    const PERSONAL: bool = T::PERSONAL;

    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}
