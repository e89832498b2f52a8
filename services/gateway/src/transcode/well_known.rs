//! The messages of `google.protobuf` that have a JSON form of their own.

use prost_reflect::{DynamicMessage, MessageDescriptor, Value};
use serde_json::Value as Json;

use super::dialect::Dialect;
use super::scalar::{self, Wanted};

/// Says whether a message has a JSON form of its own.
pub fn is_well_known(desc: &MessageDescriptor) -> bool {
    desc.full_name().strip_prefix("google.protobuf.").is_some_and(|name| {
        matches!(name, "Any" | "Empty" | "Struct" | "Value" | "ListValue" | "FieldMask" | "Timestamp" | "Duration")
            || is_wrapper(name)
    })
}

/// Says whether the JSON form is a single value, which a query parameter can hold.
pub fn is_single(desc: &MessageDescriptor) -> bool {
    desc.full_name()
        .strip_prefix("google.protobuf.")
        .is_some_and(|name| matches!(name, "FieldMask" | "Timestamp" | "Duration") || is_wrapper(name))
}

/// Says whether the message takes a JSON null as a value instead of as nothing.
pub fn takes_null(desc: &MessageDescriptor) -> bool {
    desc.full_name() == "google.protobuf.Value"
}

fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "DoubleValue"
            | "FloatValue"
            | "Int64Value"
            | "UInt64Value"
            | "Int32Value"
            | "UInt32Value"
            | "BoolValue"
            | "StringValue"
            | "BytesValue"
    )
}

/// Reads such a message from a query parameter.
pub fn from_text(desc: &MessageDescriptor, text: &str, dialect: &Dialect) -> Result<DynamicMessage, Wanted> {
    match desc.full_name() {
        "google.protobuf.FieldMask" => field_mask(desc, text),
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => mapped(desc, &Json::String(text.to_owned())),
        _ => {
            let field = desc.get_field_by_name("value").ok_or("cannot be given here")?;
            let value = scalar::from_text(&field.kind(), text, dialect)?;
            let mut wrapper = DynamicMessage::new(desc.clone());
            wrapper.set_field(&field, value);
            Ok(wrapper)
        }
    }
}

/// Reads such a message from JSON.
pub fn from_json(desc: &MessageDescriptor, json: &Json) -> Result<DynamicMessage, Wanted> {
    match (desc.full_name(), json) {
        ("google.protobuf.FieldMask", Json::String(text)) => field_mask(desc, text),
        ("google.protobuf.FieldMask", _) => Err("must be field names with commas between"),
        _ => mapped(desc, json),
    }
}

fn mapped(desc: &MessageDescriptor, json: &Json) -> Result<DynamicMessage, Wanted> {
    DynamicMessage::deserialize(desc.clone(), json).map_err(|_| match desc.name() {
        "Timestamp" => "must be a time such as 2026-01-31T12:00:00Z",
        "Duration" => "must be a duration such as 1.5s",
        "Struct" => "must be an object",
        "ListValue" => "must be an array",
        _ => "is not a value of this field",
    })
}

/// Reads a field mask. The proto3 mapping has camelCase there; ours is snake_case as everywhere, and both are read.
fn field_mask(desc: &MessageDescriptor, text: &str) -> Result<DynamicMessage, Wanted> {
    let mut paths = Vec::new();
    for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        if !path.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'*')) {
            return Err("must be field names with commas between");
        }
        paths.push(Value::String(snake(path)));
    }
    let mut mask = DynamicMessage::new(desc.clone());
    mask.try_set_field_by_name("paths", Value::List(paths)).map_err(|_| "cannot be given here")?;
    Ok(mask)
}

fn snake(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Renders a field mask the way [`from_json`] reads it.
pub fn mask_text(mask: &DynamicMessage) -> String {
    let paths = mask.get_field_by_name("paths");
    let paths = paths.as_deref().and_then(Value::as_list).unwrap_or_default();
    paths.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
