//! Query parameters into the fields that neither path nor body gives.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::body::{Reader, cut, field_by_name};
use super::{path, scalar, well_known};

/// The most parameters of one request.
const MAX_PARAMETERS: usize = 256;
/// The most dots-and-names of one parameter.
const MAX_DEPTH: usize = 16;

/// One parameter, decoded.
pub type Parameter = (String, String);

/// Splits and decodes a query; `+` means a space here. Faults are noted with the reader.
pub fn split(query: &str, reader: &mut Reader<'_>) -> Vec<Parameter> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    if pairs.clone().count() > MAX_PARAMETERS {
        reader.refuse("", format_args!("has more than {MAX_PARAMETERS} query parameters"));
        return Vec::new();
    }
    let mut parameters = Vec::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(value)) => parameters.push((name, value)),
            _ => reader.refuse(cut(name), "is not valid percent-encoded UTF-8"),
        }
    }
    parameters
}

fn decode(text: &str) -> Option<String> {
    path::check_escapes(text).ok()?;
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// What the query of a binding must not touch, since it comes from elsewhere.
#[derive(Debug, Default)]
pub struct Taken<'b> {
    /// The whole request is the body.
    pub all: bool,
    /// The field that is the body.
    pub body: Option<&'b FieldDescriptor>,
    /// The fields that are in the path.
    pub path: Vec<&'b [FieldDescriptor]>,
}

/// Puts parameters into the message.
pub fn bind(
    message: &mut DynamicMessage,
    desc: &MessageDescriptor,
    given: &[Parameter],
    taken: &Taken<'_>,
    reader: &mut Reader<'_>,
) {
    let mut seen = HashSet::new();
    let mut oneofs: HashMap<String, String> = HashMap::new();
    for (name, text) in given {
        let found = if taken.all { Err("is not known: this method reads its body only") } else { resolve(desc, name) };
        let fields = match found.and_then(|fields| free(&fields, taken).map(|()| fields)) {
            Ok(fields) => fields,
            Err(why) => {
                reader.refuse(cut(name), why);
                continue;
            }
        };
        let Some(leaf) = fields.last() else { continue };
        let id = canonical(&fields);
        if !leaf.is_list() && !seen.insert(id.clone()) {
            reader.refuse(cut(name), "is given twice");
            continue;
        }
        if let Some(other) = clash(&fields, &mut oneofs) {
            reader.refuse(cut(name), format_args!("cannot be given together with {other}"));
            continue;
        }
        match value(leaf, text, reader) {
            Ok(value) => put(message, &fields, value),
            Err(why) => reader.refuse(cut(name), why),
        }
    }
}

/// Finds the fields that a dotted name leads through.
pub fn resolve(desc: &MessageDescriptor, name: &str) -> Result<Vec<FieldDescriptor>, &'static str> {
    let mut desc = desc.clone();
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for part in name.split('.') {
        if fields.len() >= MAX_DEPTH {
            return Err("is nested too deep");
        }
        if let Some(last) = fields.last() {
            desc = match last.kind() {
                Kind::Message(inner) if !last.is_list() && !last.is_map() && !well_known::is_well_known(&inner) => {
                    inner
                }
                _ => return Err("is not known"),
            };
        }
        fields.push(field_by_name(&desc, part).ok_or("is not known")?);
    }
    Ok(fields)
}

fn free(fields: &[FieldDescriptor], taken: &Taken<'_>) -> Result<(), &'static str> {
    if taken.body.is_some_and(|body| fields.first() == Some(body)) {
        return Err("is given in the body");
    }
    if taken.path.contains(&fields) {
        return Err("is given in the path");
    }
    Ok(())
}

fn value(leaf: &FieldDescriptor, text: &str, reader: &Reader<'_>) -> Result<Value, &'static str> {
    match leaf.kind() {
        _ if leaf.is_map() => Err("cannot be given in a query"),
        Kind::Message(desc) if well_known::is_single(&desc) => {
            well_known::from_text(&desc, text, reader.dialect).map(Value::Message)
        }
        Kind::Message(desc) if well_known::is_well_known(&desc) => Err("cannot be given in a query"),
        kind => scalar::from_text(&kind, text, reader.dialect),
    }
}

/// Returns the other field of a oneof that another parameter has chosen.
fn clash(fields: &[FieldDescriptor], oneofs: &mut HashMap<String, String>) -> Option<String> {
    for (depth, field) in fields.iter().enumerate() {
        let Some(oneof) = field.containing_oneof() else { continue };
        let prefix = canonical(fields.get(..depth).unwrap_or_default());
        let chosen = oneofs.entry(format!("{prefix}/{}", oneof.name())).or_insert_with(|| field.name().to_owned());
        if chosen != field.name() {
            return Some(chosen.clone());
        }
    }
    None
}

fn canonical(fields: &[FieldDescriptor]) -> String {
    fields.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

/// Puts a value at the end of a path of fields, making the messages on the way.
pub fn put(message: &mut DynamicMessage, fields: &[FieldDescriptor], value: Value) {
    match fields {
        [] => {}
        [leaf] if leaf.is_list() => {
            if let Some(list) = message.get_field_mut(leaf).as_list_mut() {
                list.push(value);
            }
        }
        [leaf] => message.set_field(leaf, value),
        [first, rest @ ..] => {
            if let Some(inner) = message.get_field_mut(first).as_message_mut() {
                put(inner, rest, value);
            }
        }
    }
}
