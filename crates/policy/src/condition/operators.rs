//! Says which types the operators take, and computes with values.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, Utc};

use super::check::kind::{fits, name};
use super::node::Operator;
use crate::attributes::Type;
use crate::value::Value;

/// Returns the type of `left operator right`, or why there is none.
pub(super) fn result_type(operator: Operator, left: &Type, right: &Type) -> Result<Type, String> {
    let of = match operator {
        Operator::Equal | Operator::NotEqual => {
            if matches!((left, right), (Type::Null, other) | (other, Type::Null) if !matches!(other, Type::Null | Type::Dyn))
            {
                return Err("an attribute is never null: test with has() whether it is there".to_owned());
            }
            (fits(left, right) || is_number(left) && is_number(right)).then_some(Type::Bool)
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let ordered = |of: &Type| !matches!(of, Type::Null | Type::List(_) | Type::Map(_));
            let alike = fits(left, right) || is_number(left) && is_number(right);
            (alike && ordered(left) && ordered(right)).then_some(Type::Bool)
        }
        Operator::In => match right {
            Type::List(element) => (fits(left, element) || is_number(left) && is_number(element)).then_some(Type::Bool),
            Type::Map(_) => fits(left, &Type::String).then_some(Type::Bool),
            Type::Dyn => Some(Type::Bool),
            _ => None,
        },
        _ => arithmetic_type(operator, left, right),
    };
    of.ok_or_else(|| format!("`{}` does not apply to {} and {}", operator.symbol(), name(left), name(right)))
}

fn is_number(of: &Type) -> bool {
    matches!(of, Type::Int | Type::Double)
}

fn arithmetic_type(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    match (operator, left, right) {
        (_, Type::Dyn, _) | (_, _, Type::Dyn) | (_, Type::Int, Type::Int) => {
            Some(if left == right { left.clone() } else { Type::Dyn })
        }
        (Operator::Remainder, ..) => None,
        (_, Type::Double, Type::Double) => Some(Type::Double),
        (Operator::Add, Type::String, Type::String) => Some(Type::String),
        (Operator::Add, Type::List(one), Type::List(other)) => {
            Some(Type::List(Box::new(if one == other { (**one).clone() } else { Type::Dyn })))
        }
        (Operator::Add | Operator::Subtract, Type::Timestamp, Type::Duration)
        | (Operator::Add, Type::Duration, Type::Timestamp) => Some(Type::Timestamp),
        (Operator::Add | Operator::Subtract, Type::Duration, Type::Duration)
        | (Operator::Subtract, Type::Timestamp, Type::Timestamp) => Some(Type::Duration),
        _ => None,
    }
}

/// Says that an operator does not take these values.
pub(super) fn no_overload(operator: Operator, left: &Value, right: &Value) -> String {
    format!("`{}` does not apply to {} and {}", operator.symbol(), left.type_name(), right.type_name())
}

/// Computes `left operator right` for numbers, times and durations.
pub(super) fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => integers(operator, *left, *right).map(Value::Int),
        (Value::Double(left), Value::Double(right)) => match operator {
            Operator::Add => Ok(Value::Double(left + right)),
            Operator::Subtract => Ok(Value::Double(left - right)),
            Operator::Multiply => Ok(Value::Double(left * right)),
            Operator::Divide => Ok(Value::Double(left / right)),
            _ => Err(no_overload(operator, &Value::Double(*left), &Value::Double(*right))),
        },
        _ => times(operator, left, right),
    }
}

fn integers(operator: Operator, left: i64, right: i64) -> Result<i64, String> {
    let result = match operator {
        Operator::Divide | Operator::Remainder if right == 0 => return Err("division by zero".to_owned()),
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
        _ => return Err(no_overload(operator, &Value::Int(left), &Value::Int(right))),
    };
    result.ok_or_else(overflow)
}

fn times(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    let moment = |moment: Option<DateTime<Utc>>| moment.and_then(in_range).map(Value::Timestamp);
    let result = match (operator, left, right) {
        (Operator::Add, Value::Timestamp(at), Value::Duration(length))
        | (Operator::Add, Value::Duration(length), Value::Timestamp(at)) => moment(at.checked_add_signed(*length)),
        (Operator::Subtract, Value::Timestamp(at), Value::Duration(length)) => moment(at.checked_sub_signed(*length)),
        (Operator::Subtract, Value::Timestamp(left), Value::Timestamp(right)) => Some(Value::Duration(*left - *right)),
        (Operator::Add, Value::Duration(left), Value::Duration(right)) => left.checked_add(right).map(Value::Duration),
        (Operator::Subtract, Value::Duration(left), Value::Duration(right)) => {
            left.checked_sub(right).map(Value::Duration)
        }
        _ => return Err(no_overload(operator, left, right)),
    };
    result.ok_or_else(overflow)
}

/// Computes `-operand`.
pub(super) fn negate(operand: &Value) -> Result<Value, String> {
    match operand {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Err(format!("`-` does not apply to {}", other.type_name())),
    }
}

fn overflow() -> String {
    "the result is out of range".to_owned()
}

/// Refuses a time outside the years that CEL knows.
pub(super) fn in_range(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&at.year()).then_some(at)
}

/// Orders two values: none where the types have no order, or a number is not a number.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Order> {
    let order = match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        (Value::Duration(left), Value::Duration(right)) => left.cmp(right),
        (Value::Double(left), Value::Double(right)) => return Some(Order(left.partial_cmp(right))),
        (Value::Int(left), Value::Double(right)) => return Some(Order(compare_mixed(*left, *right))),
        (Value::Double(left), Value::Int(right)) => {
            return Some(Order(compare_mixed(*right, *left).map(Ordering::reverse)));
        }
        _ => return None,
    };
    Some(Order(Some(order)))
}

/// How two values of types that have an order are ordered; nothing for a number that is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order(pub(super) Option<Ordering>);

impl Order {
    /// Tells whether the comparison holds; with what is not a number none does.
    pub(super) fn holds(self, operator: Operator) -> bool {
        match operator {
            Operator::Less => self.0.is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => self.0.is_some_and(Ordering::is_le),
            Operator::Greater => self.0.is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => self.0.is_some_and(Ordering::is_ge),
            _ => false,
        }
    }
}

/// Compares as the reference implementations do: by rounding, except outside the range of whole numbers.
fn compare_mixed(whole: i64, number: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number >= LIMIT {
        Some(Ordering::Less)
    } else if number < -LIMIT {
        Some(Ordering::Greater)
    } else {
        #[expect(clippy::cast_precision_loss, reason = "rounding is what the references do")]
        let rounded = whole as f64;
        rounded.partial_cmp(&number)
    }
}
