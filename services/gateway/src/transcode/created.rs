//! Where a created record is found: the `created` rule, rendered from the body of the answer.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

/// What every REST path of ours begins with.
const PREFIX: &str = "/api/v1/";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A parsed rule such as `tasks/{id}`.
#[derive(Debug)]
pub struct Created(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Field(Vec<FieldDescriptor>),
}

impl Created {
    /// Parses a rule whose fields are fields of `body`.
    pub fn parse(rule: &str, body: &MessageDescriptor) -> Result<Self, &'static str> {
        let mut parts = vec![Part::Text(PREFIX.to_owned())];
        let mut rest = rule;
        while let Some((text, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or("`created`: a brace is not closed")?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Field(scalar_path(body, name).ok_or("`created`: is not a scalar field of the body")?));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Renders the path of the record; `None` when the answer leaves a field out that it needs.
    pub fn location(&self, body: &DynamicMessage) -> Option<String> {
        let mut location = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => location.push_str(text),
                Part::Field(fields) => {
                    let text = text(&get(body, fields)?)?;
                    location.extend(utf8_percent_encode(&text, UNRESERVED));
                }
            }
        }
        Some(location)
    }
}

/// Finds the fields that a dotted name leads through to a single scalar.
pub fn scalar_path(desc: &MessageDescriptor, name: &str) -> Option<Vec<FieldDescriptor>> {
    let fields = super::query::resolve(desc, name).ok()?;
    let leaf = fields.last()?;
    let single = !leaf.is_list() && !leaf.is_map() && !matches!(leaf.kind(), Kind::Message(_));
    single.then_some(fields)
}

/// Returns the value at the end of a path of fields.
pub fn get(message: &DynamicMessage, fields: &[FieldDescriptor]) -> Option<Value> {
    match fields {
        [] => None,
        [leaf] => Some(message.get_field(leaf).into_owned()),
        [first, rest @ ..] => get(message.get_field(first).as_message()?, rest),
    }
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}
