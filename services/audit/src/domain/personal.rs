//! Tells what is about persons from what is not, by the schemas of the events.
//!
//! The rule is a list of what may stand in plain text: a field that the schema names and does not mark `x-pii`. Whatever
//! else there is counts as personal: a field that a newer publisher added, or an event that this version does not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use taskman_events::CATALOGUE;

/// How many bytes the data of one record has at most, as JSON.
pub const MAX_DATA_BYTES: usize = 16 * 1024;
/// How many of the fields that were left out are named.
const MOST_NAMED: usize = 20;
/// Where the fields are named that were left out.
const OMITTED: &str = "_omitted";

/// What a record knows of persons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Personal {
    /// Where the actor was.
    pub client: Client,
    /// The personal fields of the data, at the places where they were.
    pub data: Map<String, Value>,
}

/// Where an actor was, and what they are called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Client {
    /// The address that the call came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The program that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The actor's e-mail address at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Client {
    /// Says whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The schemas of all known events.
#[derive(Debug)]
pub struct Schemas(BTreeMap<&'static str, Value>);

impl Schemas {
    /// Reads the schemas of the catalogue.
    pub fn of_the_catalogue() -> Self {
        Self(CATALOGUE.iter().map(|entry| (entry.key, entry.schema())).collect())
    }

    /// Says whether the event is known.
    pub fn know(&self, event_type: &str) -> bool {
        self.0.contains_key(event_type)
    }

    /// Splits the data of an event into what is not about persons and what is.
    pub fn split(&self, event_type: &str, data: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
        match self.0.get(event_type) {
            Some(schema) => split(data, schema),
            None => (Map::new(), data),
        }
    }
}

fn split(data: Map<String, Value>, schema: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let (mut plain, mut personal) = (Map::new(), Map::new());
    for (name, value) in data {
        match (schema["properties"].get(&name), value) {
            (Some(property), value) if !is_personal(property) => {
                plain.insert(name, value);
            }
            (Some(property), Value::Object(object)) if property.get("x-pii").is_none() => {
                let (kept, taken) = split(object, property);
                plain.insert(name.clone(), kept.into());
                if !taken.is_empty() {
                    personal.insert(name, taken.into());
                }
            }
            (_, value) => {
                personal.insert(name, value);
            }
        }
    }
    (plain, personal)
}

/// Says whether a value of this schema is, or may hold, something about a person. An object always may: it is looked
/// into, because fields are added over time.
fn is_personal(schema: &Value) -> bool {
    schema.get("x-pii").is_some() || schema.get("properties").is_some() || schema.get("items").is_some_and(is_personal)
}

/// Puts the parts that were split together again.
pub fn merge(plain: &mut Map<String, Value>, personal: Map<String, Value>) {
    for (name, value) in personal {
        match (plain.get_mut(&name), value) {
            (Some(Value::Object(kept)), Value::Object(taken)) => merge(kept, taken),
            (_, value) => {
                plain.insert(name, value);
            }
        }
    }
}

/// Makes an object of an event's data that the database can hold: at most [`MAX_DATA_BYTES`], without the character NUL,
/// which PostgreSQL has no place for. Where it is too large, the largest fields are left out and named.
pub fn bounded(data: Value) -> Map<String, Value> {
    let mut object = match without_nul(data) {
        Value::Object(object) => object,
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    if size(&object) <= MAX_DATA_BYTES {
        return object;
    }
    let mut sizes: Vec<(usize, String)> =
        object.iter().map(|(name, value)| (name.len() + value.to_string().len(), name.clone())).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let (mut left, mut omitted) = (size(&object), Vec::new());
    for (bytes, name) in sizes {
        // Half is kept free for the names.
        if left <= MAX_DATA_BYTES / 2 {
            break;
        }
        object.remove(&name);
        left = left.saturating_sub(bytes);
        omitted.push(name.chars().take(60).collect::<String>());
    }
    omitted.truncate(MOST_NAMED);
    object.insert(OMITTED.to_owned(), omitted.into());
    object
}

/// Returns how many bytes the data has as JSON.
pub fn size(data: &Map<String, Value>) -> usize {
    serde_json::to_vec(data).map_or(usize::MAX, |json| json.len())
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name.replace('\0', "\u{fffd}"), without_nul(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        bounded(value)
    }

    #[test]
    fn what_the_schema_marks_is_taken_out_and_put_back() {
        let data = object(json!({
            "user": {"id": "u1", "email": "ada@example.com", "username": "ada", "active": true, "nickname": "new"},
            "origin": "signup",
            "added_later": 1,
        }));
        let (mut plain, personal) = Schemas::of_the_catalogue().split("user.created", data.clone());
        assert_eq!(Value::from(plain.clone()), json!({"user": {"id": "u1", "active": true}, "origin": "signup"}));
        let sealed = json!({
            "user": {"email": "ada@example.com", "username": "ada", "nickname": "new"},
            "added_later": 1,
        });
        assert_eq!(Value::from(personal.clone()), sealed);
        merge(&mut plain, personal);
        assert_eq!(plain, data);
    }

    #[test]
    fn an_unknown_event_is_personal_altogether() {
        let data = object(json!({"name": "Ada"}));
        assert_eq!(Schemas::of_the_catalogue().split("pet.adopted", data.clone()), (Map::new(), data));
    }

    #[test]
    fn no_marked_field_of_any_event_stays_in_plain_text() {
        let schemas = Schemas::of_the_catalogue();
        for entry in CATALOGUE {
            for pointer in entry.personal_fields() {
                let path: Vec<&str> = pointer.trim_start_matches('/').split('/').collect();
                let data = path.iter().rev().fold(json!("secret"), |inner, name| json!({*name: inner}));
                let (plain, personal) = schemas.split(entry.key, object(data));
                assert!(!Value::from(plain).to_string().contains("secret"), "{} {pointer}", entry.key);
                assert_eq!(Value::from(personal).pointer(&pointer), Some(&json!("secret")), "{}", entry.key);
            }
        }
    }

    #[test]
    fn too_much_data_loses_its_largest_fields_by_name() {
        let data = bounded(json!({"small": 1, "large": "x".repeat(20_000), "middling": "y".repeat(5_000)}));
        assert_eq!(data["small"], 1);
        assert_eq!(data["middling"], "y".repeat(5_000));
        assert_eq!(data[OMITTED], json!(["large"]));
    }

    #[test]
    fn what_is_no_object_becomes_one() {
        assert_eq!(Value::from(bounded(json!(["a\0b"]))), json!({"value": ["a\u{fffd}b"]}));
        assert!(bounded(Value::Null).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn bounded_data_is_never_larger_than_its_bound(
            fields in proptest::collection::btree_map("[a-z\"]{1,40}", "[ -~]{0,3000}", 0..60)
        ) {
            prop_assert!(size(&bounded(json!(fields))) <= MAX_DATA_BYTES);
        }
    }
}
