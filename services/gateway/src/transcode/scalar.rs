//! Single values: from the text of a path or a query, and from JSON.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{Kind, MapKey, Value};
use serde_json::Value as Json;

use super::dialect::Dialect;

/// What a value should have been, for people.
pub type Wanted = &'static str;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// Integers up to here are exact as a double.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a value from text. Booleans are `true`, `false`, `1` and `0`; enums are given by name or number.
pub fn from_text(kind: &Kind, text: &str, dialect: &Dialect) -> Result<Value, Wanted> {
    match kind {
        Kind::Bool => match text {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err("must be true or false"),
        },
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bytes => bytes(text),
        Kind::Float | Kind::Double => float(kind, text),
        Kind::Enum(desc) => match text.parse::<i32>() {
            Ok(number) => Ok(Value::EnumNumber(number)),
            Err(_) => dialect.number(desc, text).map(Value::EnumNumber).ok_or("is not one of the known values"),
        },
        Kind::Message(_) => Err("is a message: name its fields"),
        _ => integer_text(kind, text),
    }
}

/// Reads a value from JSON by the proto3 mapping.
pub fn from_json(kind: &Kind, json: &Json, dialect: &Dialect) -> Result<Value, Wanted> {
    match (kind, json) {
        (Kind::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Bool, _) => Err("must be true or false"),
        (Kind::String, Json::String(text)) => Ok(Value::String(text.clone())),
        (Kind::String, _) => Err("must be a string"),
        (Kind::Bytes, Json::String(text)) => bytes(text),
        (Kind::Bytes, _) => Err("must be a base64 string"),
        (Kind::Enum(_), Json::String(text)) if text.parse::<i32>().is_ok() => Err("is not one of the known values"),
        (Kind::Enum(_), Json::String(text)) => from_text(kind, text, dialect),
        (Kind::Enum(_), Json::Number(number)) => {
            let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
            number.map(Value::EnumNumber).ok_or("is not one of the known values")
        }
        (Kind::Enum(_), _) => Err("must be the name of a value"),
        (Kind::Float | Kind::Double, Json::Number(number)) => {
            let number = number.as_f64().ok_or("must be a number")?;
            finite(kind, number)
        }
        (Kind::Float | Kind::Double, Json::String(text)) => float(kind, text),
        (Kind::Float | Kind::Double, _) => Err("must be a number"),
        (Kind::Message(_), _) => Err("must be an object"),
        (_, Json::String(text)) => integer_text(kind, text),
        (_, Json::Number(number)) => integer(kind, whole(number).ok_or(NOT_WHOLE)?),
        _ => Err(NOT_WHOLE),
    }
}

/// Reads the key of a map, which JSON always writes as a string.
pub fn map_key(kind: &Kind, text: &str, dialect: &Dialect) -> Result<MapKey, Wanted> {
    let value = match (kind, text) {
        // Keys are written by machines: only the two words.
        (Kind::Bool, "1" | "0") => return Err("must be true or false"),
        _ => from_text(kind, text, dialect)?,
    };
    value.into_map_key().ok_or("is not a key")
}

const NOT_WHOLE: Wanted = "must be a whole number";
const OUT_OF_RANGE: Wanted = "is out of range";

fn integer_text(kind: &Kind, text: &str) -> Result<Value, Wanted> {
    // `+1`, ` 1` and `1_000` parse nowhere in the mapping; `i128` would take the first.
    if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit() || c == b'-') {
        return Err(NOT_WHOLE);
    }
    match text.parse::<i128>() {
        Ok(number) => integer(kind, number),
        Err(_) if text.trim_start_matches('-').bytes().all(|c| c.is_ascii_digit()) && text.len() > 30 => {
            Err(OUT_OF_RANGE)
        }
        Err(_) => Err(NOT_WHOLE),
    }
}

fn integer(kind: &Kind, number: i128) -> Result<Value, Wanted> {
    let value = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => i32::try_from(number).map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => i64::try_from(number).map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(number).map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => u64::try_from(number).map(Value::U64),
        _ => return Err(NOT_WHOLE),
    };
    value.map_err(|_| OUT_OF_RANGE)
}

/// Returns a JSON number as an integer when it is one, `1.0` and `1e3` included.
fn whole(number: &serde_json::Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let number = number.as_f64()?;
    if number.fract() != 0.0 || number.abs() > MAX_EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range, as was just checked")]
    Some(number as i128)
}

fn float(kind: &Kind, text: &str) -> Result<Value, Wanted> {
    let number = match text {
        "NaN" => return Ok(floating(kind, f64::NAN)),
        "Infinity" => return Ok(floating(kind, f64::INFINITY)),
        "-Infinity" => return Ok(floating(kind, f64::NEG_INFINITY)),
        _ if text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'-' | b'+' | b'.' | b'e' | b'E')) => {
            text.parse::<f64>().map_err(|_| "must be a number")?
        }
        _ => return Err("must be a number"),
    };
    finite(kind, number)
}

fn finite(kind: &Kind, number: f64) -> Result<Value, Wanted> {
    let fits = match kind {
        Kind::Float => number.abs() <= f64::from(f32::MAX),
        _ => number.is_finite(),
    };
    if fits { Ok(floating(kind, number)) } else { Err(OUT_OF_RANGE) }
}

#[expect(clippy::cast_possible_truncation, reason = "a float field holds the nearest float")]
fn floating(kind: &Kind, number: f64) -> Value {
    match kind {
        Kind::Float => Value::F32(number as f32),
        _ => Value::F64(number),
    }
}

fn bytes(text: &str) -> Result<Value, Wanted> {
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map(|bytes| Value::Bytes(bytes.into())).map_err(|_| "must be base64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(kind: &Kind, text: &str) -> Result<Value, Wanted> {
        from_text(kind, text, &Dialect::default())
    }

    fn read(kind: &Kind, json: &Json) -> Result<Value, Wanted> {
        from_json(kind, json, &Dialect::default())
    }

    #[test]
    fn text_becomes_the_value_of_the_field() {
        let cases = [
            (Kind::Bool, "1", Value::Bool(true)),
            (Kind::Bool, "false", Value::Bool(false)),
            (Kind::Int32, "-7", Value::I32(-7)),
            (Kind::Int64, "9223372036854775807", Value::I64(i64::MAX)),
            (Kind::Uint64, "18446744073709551615", Value::U64(u64::MAX)),
            (Kind::Fixed32, "0", Value::U32(0)),
            (Kind::Double, "1.5e3", Value::F64(1500.0)),
            (Kind::Double, "-Infinity", Value::F64(f64::NEG_INFINITY)),
            (Kind::Float, "0.5", Value::F32(0.5)),
            (Kind::String, "", Value::String(String::new())),
            (Kind::Bytes, "_-8=", Value::Bytes(vec![0xFF, 0xEF].into())),
            (Kind::Bytes, "/+8", Value::Bytes(vec![0xFF, 0xEF].into())),
        ];
        for (kind, input, wanted) in cases {
            assert_eq!(text(&kind, input), Ok(wanted), "{kind:?} {input}");
        }
    }

    #[test]
    fn text_that_is_no_such_value_is_refused() {
        let cases = [
            (Kind::Bool, "TRUE"),
            (Kind::Bool, ""),
            (Kind::Int32, "2147483648"),
            (Kind::Int32, "1.0"),
            (Kind::Int32, "+1"),
            (Kind::Int32, " 1"),
            (Kind::Int32, ""),
            (Kind::Int32, "--1"),
            (Kind::Uint32, "-1"),
            (Kind::Int64, "9999999999999999999999999999999999999999"),
            (Kind::Double, "1e999"),
            (Kind::Double, "inf"),
            (Kind::Double, "nan"),
            (Kind::Float, "1e39"),
            (Kind::Bytes, "*"),
        ];
        for (kind, input) in cases {
            assert!(text(&kind, input).is_err(), "{kind:?} {input}");
        }
    }

    #[test]
    fn json_follows_the_proto3_mapping() {
        let cases = [
            (Kind::Int32, json!(7), Value::I32(7)),
            (Kind::Int32, json!(7.0), Value::I32(7)),
            (Kind::Int32, json!(1e3), Value::I32(1000)),
            (Kind::Int64, json!("9007199254740993"), Value::I64(9_007_199_254_740_993)),
            (Kind::Int64, json!(-1), Value::I64(-1)),
            (Kind::Uint64, json!(u64::MAX), Value::U64(u64::MAX)),
            (Kind::Double, json!(2), Value::F64(2.0)),
            (Kind::Double, json!("1.25"), Value::F64(1.25)),
            (Kind::Double, json!("Infinity"), Value::F64(f64::INFINITY)),
            (Kind::String, json!("x"), Value::String("x".into())),
        ];
        for (kind, input, wanted) in cases {
            assert_eq!(read(&kind, &input), Ok(wanted), "{kind:?} {input}");
        }
    }

    #[test]
    fn json_of_another_type_is_refused() {
        let cases = [
            (Kind::Int32, json!(1.5)),
            (Kind::Int32, json!(true)),
            (Kind::Int32, json!([])),
            (Kind::Int64, json!(1e300)),
            (Kind::Uint32, json!(-1)),
            (Kind::Bool, json!("true")),
            (Kind::Bool, json!(1)),
            (Kind::String, json!(1)),
            (Kind::String, json!(null)),
            (Kind::Double, json!("")),
            (Kind::Double, json!({})),
            (Kind::Bytes, json!([1, 2])),
        ];
        for (kind, input) in cases {
            assert!(read(&kind, &input).is_err(), "{kind:?} {input}");
        }
    }
}
