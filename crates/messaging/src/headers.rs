//! The headers of a message: what is copied from the envelope, and the story of its failures.

use chrono::{DateTime, Utc};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::{Map, Value};

pub(crate) const EVENT_ID: &str = "cloudEvents_id";
pub(crate) const EVENT_TYPE: &str = "cloudEvents_type";
pub(crate) const COMPANY_ID: &str = "cloudEvents_companyid";
pub(crate) const PRODUCER_SEQ: &str = "producer_seq";
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

/// How often the message has failed. Our own count: not every broker version counts deliveries alike.
pub(crate) const ATTEMPT: &str = "x-attempt";
pub(crate) const CLASS: &str = "x-failure-class";
pub(crate) const REASON: &str = "x-failure-reason";
pub(crate) const DETAIL: &str = "x-failure-detail";
pub(crate) const FIRST_FAILED_AT: &str = "x-first-failed-at";
pub(crate) const LAST_FAILED_AT: &str = "x-last-failed-at";
pub(crate) const VERSION: &str = "x-failure-version";
/// The routing key that the message was published with; on its way through a retry queue it has another one.
pub(crate) const ROUTING_KEY: &str = "x-routing-key";

/// What the broker notes itself, and would misread as a loop if it were sent back.
const OF_THE_BROKER: [&str; 4] = ["x-death", "x-first-death-", "x-last-death-", "x-delivery-count"];
const OF_FAILURES: [&str; 7] = [ATTEMPT, CLASS, REASON, DETAIL, FIRST_FAILED_AT, LAST_FAILED_AT, VERSION];

/// The headers of one message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers(FieldTable);

impl Headers {
    /// Copies the headers of `properties`.
    pub(crate) fn of(properties: &BasicProperties) -> Self {
        Self(properties.headers().clone().unwrap_or_default())
    }

    /// Returns the header `name` as text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.0.inner().get(name)? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            AMQPValue::ShortString(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// Returns the header `name` as a number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.0.inner().get(name)? {
            AMQPValue::LongLongInt(number) => Some(*number),
            AMQPValue::LongInt(number) => Some(i64::from(*number)),
            AMQPValue::LongUInt(number) => Some(i64::from(*number)),
            AMQPValue::ShortInt(number) => Some(i64::from(*number)),
            _ => None,
        }
    }

    /// Returns the header `name` as an instant.
    pub(crate) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.text(name)?.parse().ok()
    }

    /// Sets a text.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.0.insert(ShortString::from(name), AMQPValue::LongString(value.into().into()));
        self
    }

    /// Sets a text, if there is one.
    pub(crate) fn set_some(&mut self, name: &str, value: Option<String>) -> &mut Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Sets a number.
    pub(crate) fn set_number(&mut self, name: &str, value: i64) -> &mut Self {
        self.0.insert(ShortString::from(name), AMQPValue::LongLongInt(value));
        self
    }

    /// Leaves out what the broker notes itself.
    pub(crate) fn without_the_brokers(self) -> Self {
        self.filtered(|name| !OF_THE_BROKER.iter().any(|prefix| name.starts_with(prefix)))
    }

    /// Leaves out the story of failures too, for a fresh start.
    pub(crate) fn without_failures(self) -> Self {
        self.without_the_brokers().filtered(|name| !OF_FAILURES.contains(&name))
    }

    fn filtered(self, keep: impl Fn(&str) -> bool) -> Self {
        let mut kept = FieldTable::default();
        for (name, value) in self.0.inner() {
            if keep(name.as_str()) {
                kept.insert(name.clone(), value.clone());
            }
        }
        Self(kept)
    }

    /// Returns the texts and numbers among them as JSON that PostgreSQL can hold.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        for name in self.0.inner().keys().map(ShortString::as_str) {
            if let Some(number) = self.number(name) {
                object.insert(without_nul(name.to_owned()), number.into());
            } else if let Some(text) = self.text(name) {
                object.insert(without_nul(name.to_owned()), without_nul(text).into());
            }
        }
        Value::Object(object)
    }

    /// Reads what [`Headers::to_json`] wrote.
    pub(crate) fn from_json(json: &Value) -> Self {
        let mut headers = Self::default();
        for (name, value) in json.as_object().into_iter().flatten() {
            if let Some(number) = value.as_i64() {
                headers.set_number(name, number);
            } else if let Some(text) = value.as_str() {
                headers.set(name, text);
            }
        }
        headers
    }

    /// Returns the properties of a persistent message with these headers.
    pub(crate) fn into_properties(self, message_id: &str) -> BasicProperties {
        BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(taskman_events::CONTENT_TYPE.into())
            .with_message_id(ShortString::from(message_id))
            .with_headers(self.0)
    }
}

/// Leaves out the character NUL, which PostgreSQL has no place for.
pub(crate) fn without_nul(mut text: String) -> String {
    text.retain(|character| character != '\0');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_no_nul() {
        let mut headers = Headers::default();
        headers.set(DETAIL, "a\0b");
        assert_eq!(headers.to_json()[DETAIL], "ab");
    }

    #[test]
    fn headers_survive_the_way_through_the_table() {
        let mut headers = Headers::default();
        headers.set(EVENT_ID, "x").set_number(PRODUCER_SEQ, 7).set_some(TRACESTATE, None);
        let read = Headers::from_json(&headers.to_json());
        assert_eq!((read.text(EVENT_ID).as_deref(), read.number(PRODUCER_SEQ)), (Some("x"), Some(7)));
        assert_eq!(read.text(TRACESTATE), None);
    }

    #[test]
    fn a_fresh_start_forgets_failures_and_keeps_the_trace() {
        let mut headers = Headers::default();
        headers.set(TRACEPARENT, "00-1").set("x-death", "1").set("x-first-death-queue", "q").set_number(ATTEMPT, 3);
        let retried = headers.clone().without_the_brokers();
        assert_eq!((retried.number(ATTEMPT), retried.text("x-first-death-queue")), (Some(3), None));
        let fresh = headers.without_failures();
        assert_eq!((fresh.number(ATTEMPT), fresh.text(TRACEPARENT).as_deref()), (None, Some("00-1")));
    }
}
