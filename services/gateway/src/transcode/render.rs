//! A response message as an HTTP answer: status, `ETag`, `Location` and JSON in our dialect.

use bytes::Bytes;
use http::{HeaderValue, Method as Verb, StatusCode};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::dialect::Dialect;
use super::route::Binding;
use super::{created, money, well_known};

/// The full name of the message that goes out as the bytes that it holds.
pub const HTTP_BODY: &str = "google.api.HttpBody";

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer, before the headers that every answer has.
#[derive(Debug)]
pub struct Reply {
    /// 200, 201 or 204.
    pub status: StatusCode,
    /// The type of the body; `None` without one.
    pub content_type: Option<HeaderValue>,
    /// The version of the record in the body.
    pub version: Option<i64>,
    /// Where the record is that was created.
    pub location: Option<HeaderValue>,
    /// The body.
    pub body: Bytes,
}

/// Says that a service answered something that is not the response of its method.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The bytes are not the message.
    #[error("the response cannot be decoded")]
    Decode(#[from] prost::DecodeError),
    /// The message has no JSON form, such as a time in the year 10000.
    #[error("the response has no JSON form")]
    Json(#[from] serde_json::Error),
}

/// Renders the response of a call.
pub fn reply(binding: &Binding, dialect: &Dialect, bytes: Bytes) -> Result<Reply, RenderError> {
    let response = DynamicMessage::decode(binding.method.descriptor.output(), bytes)?;
    let answer = match &binding.response_body {
        None => Value::Message(response),
        Some(field) => response.get_field(field).into_owned(),
    };
    let message = answer.as_message();
    let version = binding.version.as_ref().and_then(|path| message.and_then(|message| created::get(message, path)));
    let version = version.and_then(|version| version.as_i64().or_else(|| version.as_i32().map(i64::from)));
    let location = binding.created.as_ref().and_then(|rule| message.and_then(|message| rule.location(message)));
    let location = location.and_then(|location| HeaderValue::from_str(&location).ok());
    let (status, content_type, body) = if binding.verb == Verb::DELETE {
        (StatusCode::NO_CONTENT, None, Bytes::new())
    } else {
        let status = if binding.created.is_some() { StatusCode::CREATED } else { StatusCode::OK };
        let (content_type, body) = body(binding, &answer, dialect)?;
        (status, Some(content_type), body)
    };
    Ok(Reply { status, content_type, version, location, body })
}

fn body(binding: &Binding, answer: &Value, dialect: &Dialect) -> Result<(HeaderValue, Bytes), RenderError> {
    match (answer, &binding.response_body) {
        (Value::Message(message), _) if message.descriptor().full_name() == HTTP_BODY => Ok(raw(message)),
        (Value::Message(message), _) => Ok((JSON, to_json(message, dialect)?)),
        (value, Some(field)) => {
            let shown = Shown { value, kind: &field.kind(), dialect };
            Ok((JSON, serde_json::to_vec(&shown)?.into()))
        }
        (_, None) => Err(serde_json::Error::custom("a response is a message").into()),
    }
}

fn raw(message: &DynamicMessage) -> (HeaderValue, Bytes) {
    let content_type = message.get_field_by_name("content_type");
    let content_type =
        content_type.as_deref().and_then(Value::as_str).and_then(|text| HeaderValue::from_str(text).ok());
    let data = message.get_field_by_name("data").and_then(|data| data.as_bytes().cloned()).unwrap_or_default();
    (content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")), data)
}

/// Writes a message as JSON: snake_case, unset fields and defaults left out, enum values by their short names.
pub fn to_json(message: &DynamicMessage, dialect: &Dialect) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(&ShownMessage { message, dialect }).map(Bytes::from)
}

struct ShownMessage<'m> {
    message: &'m DynamicMessage,
    dialect: &'m Dialect,
}

impl Serialize for ShownMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let desc = self.message.descriptor();
        match desc.full_name() {
            money::NAME => money::to_json(self.message).serialize(serializer),
            "google.protobuf.FieldMask" => serializer.serialize_str(&well_known::mask_text(self.message)),
            _ if well_known::is_well_known(&desc) => self.message.serialize(serializer),
            _ => {
                let mut map = serializer.serialize_map(None)?;
                for (field, value) in self.message.fields() {
                    map.serialize_entry(field.name(), &Shown::field(&field, value, self.dialect))?;
                }
                map.end()
            }
        }
    }
}

/// A value with its kind, which enums and maps need to be written.
struct Shown<'v, K> {
    value: &'v Value,
    kind: K,
    dialect: &'v Dialect,
}

impl<'v> Shown<'v, Kind> {
    fn field(field: &FieldDescriptor, value: &'v Value, dialect: &'v Dialect) -> Self {
        Self { value, kind: field.kind(), dialect }
    }
}

impl Serialize for Shown<'_, Kind> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shown { value: self.value, kind: &self.kind, dialect: self.dialect }.serialize(serializer)
    }
}

impl Serialize for Shown<'_, &Kind> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dialect = self.dialect;
        match self.value {
            Value::Message(message) => ShownMessage { message, dialect }.serialize(serializer),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&Shown { value, kind: self.kind, dialect })?;
                }
                list.end()
            }
            Value::Map(values) => {
                let entry = self.kind.as_message().ok_or_else(|| S::Error::custom("a map without entries"))?;
                let kind = entry.map_entry_value_field().kind();
                // Sorted, so that the same map is always the same text.
                let mut entries: Vec<(String, &Value)> =
                    values.iter().map(|(key, value)| (key_text(key), value)).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&key, &Shown { value, kind: &kind, dialect })?;
                }
                map.end()
            }
            Value::EnumNumber(number) => self.enum_value(*number, serializer),
            value => scalar(value, serializer),
        }
    }
}

impl Shown<'_, &Kind> {
    fn enum_value<S: Serializer>(&self, number: i32, serializer: S) -> Result<S::Ok, S::Error> {
        let Kind::Enum(desc) = self.kind else { return Err(S::Error::custom("a number of no enum")) };
        if desc.full_name() == "google.protobuf.NullValue" {
            return serializer.serialize_unit();
        }
        match self.dialect.short_name(desc, number) {
            Some(name) => serializer.serialize_str(name),
            // A newer service may know more values than this gateway.
            None => serializer.serialize_i32(number),
        }
    }
}

fn scalar<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    use base64::Engine as _;
    match value {
        Value::Bool(value) => serializer.serialize_bool(*value),
        Value::I32(value) => serializer.serialize_i32(*value),
        Value::U32(value) => serializer.serialize_u32(*value),
        // JavaScript's numbers end at 2^53.
        Value::I64(value) => serializer.collect_str(value),
        Value::U64(value) => serializer.collect_str(value),
        Value::F32(value) if value.is_finite() => serializer.serialize_f32(*value),
        Value::F64(value) if value.is_finite() => serializer.serialize_f64(*value),
        Value::F32(value) => serializer.serialize_str(not_finite(f64::from(*value))),
        Value::F64(value) => serializer.serialize_str(not_finite(*value)),
        Value::String(text) => serializer.serialize_str(text),
        Value::Bytes(bytes) => serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(bytes)),
        _ => Err(S::Error::custom("not a scalar")),
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

fn key_text(key: &prost_reflect::MapKey) -> String {
    use prost_reflect::MapKey;
    match key {
        MapKey::Bool(value) => value.to_string(),
        MapKey::I32(value) => value.to_string(),
        MapKey::I64(value) => value.to_string(),
        MapKey::U32(value) => value.to_string(),
        MapKey::U64(value) => value.to_string(),
        MapKey::String(value) => value.clone(),
    }
}

#[cfg(test)]
mod tests;
