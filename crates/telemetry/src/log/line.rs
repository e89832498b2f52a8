//! One log line: its fields, where they come from and how they are rendered.

use std::fmt::{Debug, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use tracing::Level;
use tracing::field::{Field, Visit};

use crate::redact;

/// The fields that every line has at its front, in this order, when a span or the event knows them.
const LEADING: [&str; 4] = ["service", "request_id", "user_id", "company_id"];

/// Further fields that a line takes over from its spans.
const INHERITED: [&str; 4] = ["event.id", "attempt", "rpc.method", "job"];

/// The names that the line itself needs.
const RESERVED: [&str; 5] = ["timestamp", "level", "trace_id", "span_id", "target"];

/// The fields of an event or a span, in the order of their recording and safe to show.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    message: String,
    others: Vec<(String, Value)>,
}

/// What is written for one event.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) trace: Option<(String, String)>,
    pub(super) fields: Fields,
}

impl Fields {
    /// Keeps only what lines take over from their spans.
    pub(super) fn inheritable(mut self) -> Self {
        self.message.clear();
        self.others.retain(|(name, _)| LEADING.contains(&name.as_str()) || INHERITED.contains(&name.as_str()));
        self
    }

    /// Replaces values by newer ones.
    pub(super) fn update(&mut self, newer: Self) {
        for (name, value) in newer.others {
            self.put(name, value);
        }
    }

    /// Takes over what an enclosing span knows and nothing nearer has said.
    pub(super) fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.others {
            if self.get(name).is_none() {
                self.others.push((name.clone(), value.clone()));
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.others.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn put(&mut self, name: String, value: Value) {
        match self.others.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.others.push((name, value)),
        }
    }

    fn add(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            // The dotted names of the house and the flat ones of the log format mean the same.
            "request.id" => "request_id".to_owned(),
            "user.id" => "user_id".to_owned(),
            "company.id" => "company_id".to_owned(),
            name if RESERVED.contains(&name) => format!("field.{name}"),
            // `r#type` and the like.
            name => name.strip_prefix("r#").unwrap_or(name).to_owned(),
        };
        let value = if redact::is_secret(&name) { Value::from(redact::REDACTED) } else { value };
        self.put(name, value);
    }

    fn add_text(&mut self, field: &Field, text: &str) {
        let text = redact::text(text);
        if field.name() == "message" {
            self.message = text.into_owned();
        } else {
            self.add(field, Value::from(text));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.add_text(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add_text(field, &format!("{value:?}"));
    }
}

impl Line<'_> {
    pub(super) fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and booleans under string keys always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn to_text(&self) -> String {
        let time = self.at.format("%H:%M:%S%.3f");
        let service = self.fields.get("service").and_then(Value::as_str).unwrap_or("-");
        let mut text = format!("{time} {:<5} {service:<14} {}", self.level.as_str(), self.fields.message);
        for (name, value) in self.fields.others.iter().filter(|(name, _)| name != "service") {
            let _ = match value {
                Value::String(value) => write!(text, " {name}={value}"),
                value => write!(text, " {name}={value}"),
            };
        }
        // A line feed in a value must not look like another line.
        text.replace(['\n', '\r'], " ")
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.at.to_rfc3339_opts(SecondsFormat::Micros, true))?;
        map.serialize_entry("level", &self.level.as_str().to_ascii_lowercase())?;
        let leading = |name: &str| self.fields.get(name);
        if let Some(service) = leading("service") {
            map.serialize_entry("service", service)?;
        }
        if let Some((trace, span)) = &self.trace {
            map.serialize_entry("trace_id", trace)?;
            map.serialize_entry("span_id", span)?;
        }
        for name in &LEADING[1..] {
            if let Some(value) = leading(name) {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry("message", &self.fields.message)?;
        for (name, value) in self.fields.others.iter().filter(|(name, _)| !LEADING.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("target", self.target)?;
        map.end()
    }
}
