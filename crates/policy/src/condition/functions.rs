//! Lists the functions of conditions, and applies them.

use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use super::check::kind::fits;
use super::node::{Function, TimePart};
use super::operators::in_range;
use crate::attributes::Type;
use crate::value::Value;

/// How a function may be called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `f(x)`.
    Plain,
    /// `x.f()`.
    Method,
    /// Either.
    Both,
}

/// The type of an argument in the table below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Bool,
    Int,
    Double,
    Text,
    Time,
    Length,
    List,
    /// Whatever the elements of the list before it are.
    Element,
    Map,
}

struct Overload {
    name: &'static str,
    style: Style,
    takes: &'static [Takes],
    function: Function,
    gives: Takes,
}

const fn row(name: &'static str, style: Style, takes: &'static [Takes], function: Function, gives: Takes) -> Overload {
    Overload { name, style, takes, function, gives }
}

const fn part(name: &'static str, part: TimePart) -> Overload {
    row(name, Style::Method, &[Takes::Time], Function::Part(part), Takes::Int)
}

const OVERLOADS: [Overload; 34] = [
    row("size", Style::Both, &[Takes::Text], Function::Size, Takes::Int),
    row("size", Style::Both, &[Takes::List], Function::Size, Takes::Int),
    row("size", Style::Both, &[Takes::Map], Function::Size, Takes::Int),
    row("contains", Style::Method, &[Takes::Text, Takes::Text], Function::Contains, Takes::Bool),
    // Not in standard CEL, which says `x in list`; the owner's example is written this way.
    row("contains", Style::Method, &[Takes::List, Takes::Element], Function::Contains, Takes::Bool),
    row("startsWith", Style::Method, &[Takes::Text, Takes::Text], Function::StartsWith, Takes::Bool),
    row("endsWith", Style::Method, &[Takes::Text, Takes::Text], Function::EndsWith, Takes::Bool),
    row("lowerAscii", Style::Method, &[Takes::Text], Function::LowerAscii, Takes::Text),
    row("upperAscii", Style::Method, &[Takes::Text], Function::UpperAscii, Takes::Text),
    row("int", Style::Plain, &[Takes::Int], Function::ToInt, Takes::Int),
    row("int", Style::Plain, &[Takes::Double], Function::ToInt, Takes::Int),
    row("int", Style::Plain, &[Takes::Text], Function::ToInt, Takes::Int),
    row("int", Style::Plain, &[Takes::Time], Function::ToInt, Takes::Int),
    row("double", Style::Plain, &[Takes::Double], Function::ToDouble, Takes::Double),
    row("double", Style::Plain, &[Takes::Int], Function::ToDouble, Takes::Double),
    row("double", Style::Plain, &[Takes::Text], Function::ToDouble, Takes::Double),
    row("string", Style::Plain, &[Takes::Text], Function::ToText, Takes::Text),
    row("string", Style::Plain, &[Takes::Int], Function::ToText, Takes::Text),
    row("string", Style::Plain, &[Takes::Bool], Function::ToText, Takes::Text),
    row("timestamp", Style::Plain, &[Takes::Text], Function::ToTimestamp, Takes::Time),
    row("timestamp", Style::Plain, &[Takes::Time], Function::ToTimestamp, Takes::Time),
    row("duration", Style::Plain, &[Takes::Text], Function::ToDuration, Takes::Length),
    row("duration", Style::Plain, &[Takes::Length], Function::ToDuration, Takes::Length),
    part("getFullYear", TimePart::FullYear),
    part("getMonth", TimePart::Month),
    part("getDate", TimePart::Date),
    part("getDayOfMonth", TimePart::DayOfMonth),
    part("getDayOfWeek", TimePart::DayOfWeek),
    part("getDayOfYear", TimePart::DayOfYear),
    part("getHours", TimePart::Hours),
    part("getMinutes", TimePart::Minutes),
    part("getSeconds", TimePart::Seconds),
    part("getMilliseconds", TimePart::Milliseconds),
    row("string", Style::Plain, &[Takes::Time], Function::ToText, Takes::Text),
];

fn named(name: &str, method: bool) -> impl Iterator<Item = &'static Overload> {
    let other = if method { Style::Plain } else { Style::Method };
    OVERLOADS.iter().filter(move |overload| overload.name == name && overload.style != other)
}

/// Tells whether there is such a function, or such a method.
pub(super) fn exists(name: &str, method: bool) -> bool {
    named(name, method).next().is_some()
}

/// Finds the function for arguments of these types, and the type of its result.
pub(super) fn resolve(name: &str, method: bool, types: &[&Type]) -> Option<(Function, Type)> {
    let takes = |overload: &&Overload| {
        overload.takes.len() == types.len()
            && overload.takes.iter().zip(types).enumerate().all(|(position, (takes, given))| {
                match (takes, types[position.saturating_sub(1)]) {
                    (Takes::Element, Type::List(element)) => fits(given, element),
                    _ => fits(given, &value_type(*takes)),
                }
            })
    };
    named(name, method).find(takes).map(|overload| (overload.function, value_type(overload.gives)))
}

fn value_type(takes: Takes) -> Type {
    match takes {
        Takes::Bool => Type::Bool,
        Takes::Int => Type::Int,
        Takes::Double => Type::Double,
        Takes::Text => Type::String,
        Takes::Time => Type::Timestamp,
        Takes::Length => Type::Duration,
        Takes::List => Type::List(Box::new(Type::Dyn)),
        Takes::Map => Type::Map(Box::new(Type::Dyn)),
        Takes::Element => Type::Dyn,
    }
}

/// Applies a function to values; `contains` on a list is the evaluator's, which counts the comparisons.
pub(super) fn apply(function: Function, arguments: &[Value]) -> Result<Value, String> {
    let result = match (function, arguments) {
        (Function::Size, [Value::String(text)]) => length(text.chars().count()),
        (Function::Size, [Value::List(items)]) => length(items.len()),
        (Function::Size, [Value::Map(entries)]) => length(entries.len()),
        (Function::Contains, [Value::String(text), Value::String(part)]) => Some(Value::Bool(text.contains(&**part))),
        (Function::StartsWith, [Value::String(text), Value::String(part)]) => {
            Some(Value::Bool(text.starts_with(&**part)))
        }
        (Function::EndsWith, [Value::String(text), Value::String(part)]) => Some(Value::Bool(text.ends_with(&**part))),
        (Function::LowerAscii, [Value::String(text)]) => Some(Value::from(text.to_ascii_lowercase())),
        (Function::UpperAscii, [Value::String(text)]) => Some(Value::from(text.to_ascii_uppercase())),
        (Function::Part(part), [Value::Timestamp(at)]) => Some(Value::Int(time_part(part, *at))),
        (
            Function::ToInt | Function::ToDouble | Function::ToText | Function::ToTimestamp | Function::ToDuration,
            [value],
        ) => {
            return convert(function, value).ok_or_else(|| format!("{} cannot be converted", value.type_name()));
        }
        _ => None,
    };
    result.ok_or_else(|| {
        let given: Vec<&str> = arguments.iter().map(Value::type_name).collect();
        format!("the function does not apply to ({})", given.join(", "))
    })
}

fn length(length: usize) -> Option<Value> {
    i64::try_from(length).ok().map(Value::Int)
}

fn convert(function: Function, value: &Value) -> Option<Value> {
    Some(match (function, value) {
        (Function::ToInt, Value::Int(_))
        | (Function::ToDouble, Value::Double(_))
        | (Function::ToText, Value::String(_))
        | (Function::ToTimestamp, Value::Timestamp(_))
        | (Function::ToDuration, Value::Duration(_)) => value.clone(),
        (Function::ToInt, Value::Double(number)) => Value::Int(truncate(*number)?),
        (Function::ToInt, Value::String(text)) => Value::Int(text.parse().ok()?),
        (Function::ToInt, Value::Timestamp(at)) => Value::Int(at.timestamp()),
        #[expect(clippy::cast_precision_loss, reason = "that is what double() of a whole number is")]
        (Function::ToDouble, Value::Int(number)) => Value::Double(*number as f64),
        (Function::ToDouble, Value::String(text)) => Value::Double(text.parse().ok()?),
        (Function::ToText, Value::Int(number)) => Value::from(number.to_string()),
        (Function::ToText, Value::Bool(value)) => Value::from(if *value { "true" } else { "false" }),
        (Function::ToText, Value::Timestamp(at)) => {
            Value::from(at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        }
        (Function::ToTimestamp, Value::String(text)) => {
            Value::Timestamp(in_range(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc))?)
        }
        (Function::ToDuration, Value::String(text)) => Value::Duration(parse_duration(text)?),
        _ => return None,
    })
}

fn truncate(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, and dropping the fraction is the point")]
    (number > -LIMIT && number < LIMIT).then_some(number as i64)
}

fn time_part(part: TimePart, at: DateTime<Utc>) -> i64 {
    match part {
        TimePart::FullYear => at.year().into(),
        TimePart::Month => at.month0().into(),
        TimePart::Date => at.day().into(),
        TimePart::DayOfMonth => at.day0().into(),
        TimePart::DayOfWeek => at.weekday().num_days_from_sunday().into(),
        TimePart::DayOfYear => at.ordinal0().into(),
        TimePart::Hours => at.hour().into(),
        TimePart::Minutes => at.minute().into(),
        TimePart::Seconds => at.second().into(),
        TimePart::Milliseconds => at.timestamp_subsec_millis().into(),
    }
}

/// Parses `1h30m`, `1.5s`, `-20ms`: numbers, each with its unit.
fn parse_duration(text: &str) -> Option<TimeDelta> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(TimeDelta::zero());
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        total = total.checked_add(nanoseconds(number, unit)?)?;
        rest = tail;
    }
    let total = if negative { total.checked_neg()? } else { total };
    (text.len() > usize::from(negative)).then(|| TimeDelta::nanoseconds(total))
}

fn nanoseconds(number: &str, unit: &str) -> Option<i64> {
    let scale: i64 = match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()?.checked_mul(scale)? };
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        total =
            total.checked_add(place.checked_mul(i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?))?)?;
    }
    (!(whole.is_empty() && fraction.is_empty())).then_some(total)
}

/// Makes the text of a sum of texts.
pub(super) fn concatenate(left: &str, right: &str) -> Arc<str> {
    let mut text = String::with_capacity(left.len() + right.len());
    text.push_str(left);
    text.push_str(right);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_numbers_with_units() {
        let length = |text| parse_duration(text).and_then(|length| length.num_nanoseconds());
        assert_eq!(length("1h30m"), Some(5_400_000_000_000));
        assert_eq!(length("1.5s"), Some(1_500_000_000));
        assert_eq!(length("-20ms"), Some(-20_000_000));
        assert_eq!(length("3us4ns"), Some(3_004));
        assert_eq!(length("0"), Some(0));
        for bad in ["", "-", "5", "h", "1x", "1.2.3s", ".s", "1h-2m", "9999999999h"] {
            assert_eq!(length(bad), None, "{bad}");
        }
    }
}
