//! Builds the request message of a call from path, query, body and the headers that stand for fields.

use bytes::Bytes;
use http::{HeaderMap, Method as Verb};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use serde_json::Value as Json;
use taskman_errors::Violation;

use super::body::{Reader, Trail};
use super::created::get;
use super::dialect::Dialect;
use super::precondition::{self, IfMatch};
use super::query::{self, Taken};
use super::route::{Binding, BodyRule, Captured};
use super::{mask, scalar, well_known};

/// The body of a request as far as it is understood without knowing the message.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Nothing was sent.
    Empty,
    /// JSON.
    Json(Json),
    /// Bytes for a `google.api.HttpBody`, with their type.
    Raw {
        /// The `Content-Type` that was sent.
        content_type: String,
        /// The bytes.
        data: Bytes,
    },
}

/// What a request is built from.
#[derive(Debug)]
pub struct Parts<'r> {
    /// The values of the path's variables.
    pub captured: &'r [Captured],
    /// What stands behind the `?`.
    pub query: Option<&'r str>,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// The body.
    pub payload: &'r Payload,
}

/// Says why no request could be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unbound {
    /// These fields are wrong.
    Invalid(Vec<Violation>),
    /// `If-Match` names only tags that no version of ours can have.
    NeverMatches,
}

/// Builds the request message.
pub fn request(binding: &Binding, parts: &Parts<'_>, dialect: &Dialect) -> Result<DynamicMessage, Unbound> {
    let mut reader = Reader::new(dialect);
    let mut message = from_body(binding, parts.payload, &mut reader);
    from_path(binding, parts.captured, &mut message, &mut reader);
    from_query(binding, parts.query, &mut message, &mut reader);
    derive_mask(binding, parts.payload, &mut message);
    let version = from_headers(binding, parts.headers, &mut message, &mut reader);
    reader.finish().map_err(Unbound::Invalid)?;
    if version == Outlook::NeverMatches { Err(Unbound::NeverMatches) } else { Ok(message) }
}

fn from_body(binding: &Binding, payload: &Payload, reader: &mut Reader<'_>) -> DynamicMessage {
    let input = binding.method.input();
    let mut message = DynamicMessage::new(input.clone());
    match (&binding.body, payload) {
        (_, Payload::Empty) => {}
        (BodyRule::None, _) => reader.refuse("", "this method takes no body"),
        (BodyRule::All, Payload::Json(json)) => {
            if let Some(read) = reader.message(&input, json, &Trail::ROOT) {
                message = read;
            }
        }
        (BodyRule::Field(field), Payload::Json(json)) => {
            if let Some(value) = reader.field(field, json, &Trail::ROOT.field(field.name())) {
                message.set_field(field, value);
            }
        }
        (rule, Payload::Raw { content_type, data }) => raw(rule, content_type, data, &mut message),
    }
    message
}

/// Puts the bytes into the `google.api.HttpBody` that the request is or holds.
fn raw(rule: &BodyRule, content_type: &str, data: &Bytes, message: &mut DynamicMessage) {
    let target = match rule {
        BodyRule::Field(field) => message.get_field_mut(field).as_message_mut(),
        _ => Some(message),
    };
    let Some(target) = target else { return };
    // The route table calls a body raw only where the message has these two fields.
    for (name, value) in
        [("content_type", Value::String(content_type.to_owned())), ("data", Value::Bytes(data.clone()))]
    {
        if let Some(field) = target.descriptor().get_field_by_name(name) {
            target.set_field(&field, value);
        }
    }
}

fn from_path(binding: &Binding, captured: &[Captured], message: &mut DynamicMessage, reader: &mut Reader<'_>) {
    for (variable, text) in binding.variables.iter().zip(captured) {
        let Some(leaf) = variable.last() else { continue };
        let name = dotted(variable);
        let value = match scalar::from_text(&leaf.kind(), text, reader.dialect) {
            Ok(value) => value,
            Err(wanted) => {
                reader.refuse(name, wanted);
                continue;
            }
        };
        let sent = get(message, variable).filter(|sent| leaf.supports_presence() || !sent.is_default_for_field(leaf));
        if sent.is_some_and(|sent| has(message, variable) && sent != value) {
            reader.refuse(name, "differs between the path and the body");
            continue;
        }
        query::put(message, variable, value);
    }
}

/// Says whether the field at the end of a path of fields is set.
fn has(message: &DynamicMessage, fields: &[FieldDescriptor]) -> bool {
    match fields {
        [] => false,
        [leaf] => message.has_field(leaf),
        [first, rest @ ..] => {
            message.has_field(first) && message.get_field(first).as_message().is_some_and(|inner| has(inner, rest))
        }
    }
}

fn from_query(binding: &Binding, query: Option<&str>, message: &mut DynamicMessage, reader: &mut Reader<'_>) {
    let Some(query) = query else { return };
    let given = query::split(query, reader);
    let taken = Taken {
        all: matches!(binding.body, BodyRule::All),
        body: match &binding.body {
            BodyRule::Field(field) => Some(field),
            _ => None,
        },
        path: binding.variables.iter().map(Vec::as_slice).collect(),
    };
    query::bind(message, &binding.method.input(), &given, &taken, reader);
}

/// Fills the mask of a PATCH that sent none.
fn derive_mask(binding: &Binding, payload: &Payload, message: &mut DynamicMessage) {
    let (BodyRule::Field(body), Payload::Json(Json::Object(object))) = (&binding.body, payload) else { return };
    if binding.verb != Verb::PATCH {
        return;
    }
    let Some(field) = message.descriptor().get_field_by_name(mask::FIELD) else { return };
    let (Kind::Message(mask), Kind::Message(resource)) = (field.kind(), body.kind()) else { return };
    if message.has_field(&field)
        || mask.full_name() != "google.protobuf.FieldMask"
        || well_known::is_well_known(&resource)
    {
        return;
    }
    let paths = mask::paths(&resource, object).into_iter().map(Value::String).collect();
    let mut derived = DynamicMessage::new(mask);
    if derived.try_set_field_by_name("paths", Value::List(paths)).is_ok() {
        message.set_field(&field, Value::Message(derived));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    Open,
    NeverMatches,
}

/// Puts `Idempotency-Key` and `If-Match` into the fields that they stand for.
fn from_headers(
    binding: &Binding,
    headers: &HeaderMap,
    message: &mut DynamicMessage,
    reader: &mut Reader<'_>,
) -> Outlook {
    if let Some(field) = &binding.request_id {
        idempotency_key(field, headers, message, reader);
    }
    if binding.method.is_read_only() {
        // Reads have their answer compared.
        return Outlook::Open;
    }
    match precondition::if_match(headers) {
        None | Some(IfMatch::Any) => Outlook::Open,
        Some(IfMatch::OneOf(versions)) => expect_version(binding, &versions, message, reader),
    }
}

fn idempotency_key(
    field: &FieldDescriptor,
    headers: &HeaderMap,
    message: &mut DynamicMessage,
    reader: &mut Reader<'_>,
) {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return };
    // The header's draft writes a quoted string; most clients send the bare key.
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if values.next().is_some() || taskman_ids::parse_uuid(text).is_err() {
        reader.refuse(NAME, "must be one UUID in its hyphenated form");
        return;
    }
    let sent = message.get_field(field).as_str().unwrap_or_default().to_owned();
    if sent.is_empty() {
        message.set_field(field, Value::String(text.to_owned()));
    } else if !sent.eq_ignore_ascii_case(text) {
        reader.refuse(NAME, format_args!("differs from {} in the body", field.name()));
    }
}

fn expect_version(
    binding: &Binding,
    versions: &[i64],
    message: &mut DynamicMessage,
    reader: &mut Reader<'_>,
) -> Outlook {
    const NAME: &str = "If-Match";
    let Some(path) = &binding.expected_version else {
        // Going on would promise a check that nobody makes.
        reader.refuse(NAME, "cannot be used here: this method does not compare versions");
        return Outlook::Open;
    };
    let wanted = match versions {
        [] => return Outlook::NeverMatches,
        [one] => *one,
        _ => {
            reader.refuse(NAME, "must name one version");
            return Outlook::Open;
        }
    };
    let Some(Ok(wanted)) = path.last().map(|leaf| scalar::from_text(&leaf.kind(), &wanted.to_string(), reader.dialect))
    else {
        return Outlook::NeverMatches;
    };
    match get(message, path).filter(|_| has(message, path)) {
        Some(sent) if sent != wanted => reader.refuse(NAME, format_args!("differs from {} in the body", dotted(path))),
        _ => query::put(message, path, wanted),
    }
    Outlook::Open
}

fn dotted(fields: &[FieldDescriptor]) -> String {
    fields.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests;
