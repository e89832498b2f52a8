//! The update mask of a PATCH that sends none: the keys that its body has (AIP-134).

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json};

use super::body::field_by_name;
use super::{money, well_known};

/// The field of a request that holds its mask.
pub const FIELD: &str = "update_mask";

/// Returns the paths of the fields that a body changes. Lists, maps and messages with a JSON form of their own change as
/// a whole; other messages change field by field, and as a whole when they are empty or null.
pub fn paths(desc: &MessageDescriptor, body: &Map<String, Json>) -> Vec<String> {
    let mut paths = Vec::new();
    collect(desc, body, "", &mut paths);
    paths
}

fn collect(desc: &MessageDescriptor, body: &Map<String, Json>, prefix: &str, paths: &mut Vec<String>) {
    for (name, json) in body {
        // Unknown keys are the reader's to refuse.
        let Some(field) = field_by_name(desc, name) else { continue };
        let path = if prefix.is_empty() { field.name().to_owned() } else { format!("{prefix}.{}", field.name()) };
        match (inner(&field), json) {
            (Some(inner), Json::Object(object)) if !object.is_empty() => collect(&inner, object, &path, paths),
            _ => paths.push(path),
        }
    }
}

/// Returns the message that a field is, when it changes field by field.
fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(desc)
            if !field.is_list()
                && !field.is_map()
                && !well_known::is_well_known(&desc)
                && desc.full_name() != money::NAME =>
        {
            Some(desc)
        }
        _ => None,
    }
}
