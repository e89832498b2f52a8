//! Reads JSON strictly: one value, no duplicate keys, bounded depth, no lone surrogates, nothing behind it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most arrays and objects that may be open at once.
pub const MAX_DEPTH: usize = 64;

/// Says why a body is not JSON that is accepted here; names line and column, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadJson(String);

/// Parses a body. A byte order mark in front is tolerated.
pub fn parse(bytes: &[u8]) -> Result<Value, BadJson> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|error| describe(&error))?;
    reader.end().map_err(|error| describe(&error))?;
    Ok(value)
}

fn describe(error: &serde_json::Error) -> BadJson {
    BadJson(format!("the body is not acceptable JSON: {error}"))
}

/// Builds a [`Value`] and checks on the way what `serde_json` lets pass.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom("a key is given twice"));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_json_is_read() {
        let cases: [(&[u8], Value); 8] = [
            (b"{}", Value::Object(Map::new())),
            (b" [1, -2, 3.5] ", serde_json::json!([1, -2, 3.5])),
            (b"\xEF\xBB\xBF{\"a\":null}", serde_json::json!({"a": null})),
            (b"18446744073709551615", serde_json::json!(u64::MAX)),
            (br#""\ud83d\ude00""#, serde_json::json!("\u{1F600}")),
            (br#"{"a":{"a":1},"b":{"a":2}}"#, serde_json::json!({"a":{"a":1},"b":{"a":2}})),
            (b"true", serde_json::json!(true)),
            (br#""\u0000""#, serde_json::json!("\0")),
        ];
        for (text, wanted) in cases {
            assert_eq!(parse(text), Ok(wanted), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let cases: [(&[u8], &str); 17] = [
            (b"", "EOF"),
            (b"{", "EOF"),
            (b"{}x", "trailing"),
            (b"{} {}", "trailing"),
            (b"{\"a\":1,}", "trailing comma"),
            (br#"{"a":1,"a":1}"#, "twice"),
            (br#"{"a":{"b":1,"b":2}}"#, "twice"),
            (br#"{"a":1,"\u0061":2}"#, "twice"),
            (br#""\ud800""#, "escape"),
            (br#""\ud800\u0041""#, "surrogate"),
            (br#""\udc00""#, "surrogate"),
            (b"\"\xFF\"", "unicode"),
            (b"{'a':1}", "key must be a string"),
            (b"NaN", "expected"),
            (b"01", "number"),
            (b"\"a\x01b\"", "control character"),
            (b"// c\n1", "expected value"),
        ];
        for (text, wanted) in cases {
            let error = parse(text).expect_err(&String::from_utf8_lossy(text)).to_string();
            assert!(error.contains(wanted), "{}: {error}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err().to_string().contains("deeper"));
        assert!(parse(nested(100_000).as_bytes()).is_err());
    }
}
