//! `google.type.Money` as people write it: `{"currency_code": "USD", "amount": "1200.00"}`.

use prost_reflect::{DynamicMessage, MessageDescriptor, Value};
use serde_json::{Map, Value as Json, json};

/// The full name of the one message with a JSON form of our own.
pub const NAME: &str = "google.type.Money";

const NANOS: i64 = 1_000_000_000;

/// Renders an amount of money.
pub fn to_json(money: &DynamicMessage) -> Json {
    let code = money.get_field_by_name("currency_code").and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let units = money.get_field_by_name("units").and_then(|v| v.as_i64()).unwrap_or_default();
    let nanos = money.get_field_by_name("nanos").and_then(|v| v.as_i32()).unwrap_or_default();
    json!({ "currency_code": code, "amount": amount(units, nanos) })
}

/// Writes units and nanos as one decimal with at least two digits behind the point.
fn amount(units: i64, nanos: i32) -> String {
    let sign = if units < 0 || nanos < 0 { "-" } else { "" };
    let mut fraction = format!("{:09}", nanos.unsigned_abs());
    let kept = fraction.trim_end_matches('0').len().max(2);
    fraction.truncate(kept);
    format!("{sign}{}.{fraction}", units.unsigned_abs())
}

/// Reads an amount of money.
pub fn from_json(desc: MessageDescriptor, object: &Map<String, Json>) -> Result<DynamicMessage, &'static str> {
    if object.keys().any(|key| key != "currency_code" && key != "currencyCode" && key != "amount") {
        return Err("has fields other than currency_code and amount");
    }
    let code = object.get("currency_code").or_else(|| object.get("currencyCode")).and_then(Json::as_str);
    let code = code.filter(|code| code.len() == 3 && code.bytes().all(|c| c.is_ascii_uppercase()));
    let code = code.ok_or("needs a currency_code of three capital letters")?;
    let text = object.get("amount").and_then(Json::as_str).ok_or("needs an amount as a decimal string")?;
    let (units, nanos) = parse(text).ok_or("needs an amount such as \"1200.00\"")?;
    let mut money = DynamicMessage::new(desc);
    let set = money
        .try_set_field_by_name("currency_code", Value::String(code.to_owned()))
        .and_then(|()| money.try_set_field_by_name("units", Value::I64(units)))
        .and_then(|()| money.try_set_field_by_name("nanos", Value::I32(nanos)));
    set.map(|()| money).map_err(|_| "is not an amount of money here")
}

fn parse(text: &str) -> Option<(i64, i32)> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    let fraction = match fraction {
        Some(fraction) if is_number(fraction) && fraction.len() <= 9 => fraction,
        Some(_) => return None,
        None => "0",
    };
    if !is_number(whole) {
        return None;
    }
    let units: i64 = whole.parse().ok()?;
    let nanos: i64 = format!("{fraction:0<9}").parse().ok().filter(|nanos| *nanos < NANOS)?;
    let nanos = i32::try_from(nanos).ok()?;
    Some(if negative { (-units, -nanos) } else { (units, nanos) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_two_digits_or_as_many_as_are_needed() {
        let cases = [
            (1200, 0, "1200.00"),
            (0, 500_000_000, "0.50"),
            (-1, -50_000_000, "-1.05"),
            (0, -10_000_000, "-0.01"),
            (3, 1, "3.000000001"),
            (3, 123_000_000, "3.123"),
        ];
        for (units, nanos, wanted) in cases {
            assert_eq!(amount(units, nanos), wanted);
            assert_eq!(parse(wanted), Some((units, nanos)));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for bad in ["", "-", ".5", "5.", "1,5", "1e3", "+1", "1.0000000001", "99999999999999999999", "1.-5", " 1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
