//! Between `google.protobuf.Struct` and JSON.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as ProtoValue};
use serde_json::{Map, Number, Value};

/// Numbers up to here are whole ones in a double.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Turns a struct into a JSON object.
pub(super) fn to_json(fields: Struct) -> Map<String, Value> {
    fields.fields.into_iter().map(|(name, value)| (name, value_to_json(value))).collect()
}

/// Turns a JSON object into a struct.
pub(super) fn from_json(object: Map<String, Value>) -> Struct {
    Struct { fields: object.into_iter().map(|(name, value)| (name, value_from_json(value))).collect() }
}

fn value_to_json(value: ProtoValue) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(value_to_json).collect(),
        Some(Kind::StructValue(fields)) => to_json(fields).into(),
    }
}

/// A struct has doubles only; what was a whole number becomes one again. What is no number at all becomes null.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < WHOLE {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and less than 2^53")]
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn value_from_json(value: Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.into_iter().map(value_from_json).collect() }),
        Value::Object(object) => Kind::StructValue(from_json(object)),
    };
    ProtoValue { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_struct_comes_back_as_it_went() {
        let json = json!({"a": [1, 2.5, null, true, "x"], "b": {"c": -7, "d": {}}, "e": 1e300});
        let object = json.as_object().cloned().unwrap_or_default();
        assert_eq!(Value::from(to_json(from_json(object))), json);
    }

    #[test]
    fn what_json_has_no_number_for_is_null() {
        let value = ProtoValue { kind: Some(Kind::NumberValue(f64::NAN)) };
        assert_eq!(value_to_json(value), Value::Null);
    }
}
