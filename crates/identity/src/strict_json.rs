//! JSON as nobody can misread it: an object with a repeated name is refused, at any depth.
//!
//! Parsers differ on which of two equal names counts, so a document that holds both can mean two things to two readers.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Reads `bytes` as exactly one JSON document without repeated names.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<NamesOnce>(bytes)?;
    serde_json::from_slice(bytes)
}

/// Accepts any document whose objects name each member once, and keeps nothing of it.
struct NamesOnce;

impl<'de> Deserialize<'de> for NamesOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesOnceVisitor)
    }
}

struct NamesOnceVisitor;

impl<'de> Visitor<'de> for NamesOnceVisitor {
    type Value = NamesOnce;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON document without repeated names")
    }

    fn visit_bool<E>(self, _: bool) -> Result<NamesOnce, E> {
        Ok(NamesOnce)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NamesOnce, E> {
        Ok(NamesOnce)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NamesOnce, E> {
        Ok(NamesOnce)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NamesOnce, E> {
        Ok(NamesOnce)
    }

    fn visit_str<E>(self, _: &str) -> Result<NamesOnce, E> {
        Ok(NamesOnce)
    }

    fn visit_unit<E>(self) -> Result<NamesOnce, E> {
        Ok(NamesOnce)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NamesOnce, A::Error> {
        while items.next_element::<NamesOnce>()?.is_some() {}
        Ok(NamesOnce)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<NamesOnce, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name is repeated"));
            }
            members.next_value::<NamesOnce>()?;
        }
        Ok(NamesOnce)
    }
}

/// Says of a member only that it is there, whatever its value, `null` included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Present(pub(crate) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_document_with_distinct_names_is_read() {
        let text = br#" {"a": [1, -2, 3.5, "x", null, true, {"a": {}}], "b": {"a": 1}} "#;
        assert!(from_slice::<Value>(text).is_ok());
    }

    #[test]
    fn repeated_names_are_refused_at_any_depth_and_in_any_spelling() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"a":2}]}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(from_slice::<Value>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn anything_after_the_document_is_refused() {
        for text in ["{}{}", "{} x", "{}\0", ""] {
            assert!(from_slice::<Value>(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_null_member_counts_as_present() {
        #[derive(Deserialize)]
        struct Header {
            #[serde(default)]
            crit: Present,
        }
        assert!(from_slice::<Header>(br#"{"crit":null}"#).unwrap().crit.0);
        assert!(!from_slice::<Header>(b"{}").unwrap().crit.0);
    }
}
