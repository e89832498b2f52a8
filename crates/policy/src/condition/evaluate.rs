//! Evaluates a checked condition in bounded time and memory.
//!
//! Three answers are kept apart. An error of one side of `&&` and `||` is absorbed by the other side, as CEL wants it. What
//! depends on an attribute of the resource that is not known is "unknown", which the other side absorbs as well; it wins
//! over an error, for the attribute may turn out to absorb that. So an answer that was reached without the resource is
//! the answer that would be reached with it, whatever its attributes are.

mod facts;
mod loops;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions::{apply, concatenate};
use super::limits::{FUEL, MAX_TEXT};
use super::node::{Function, Kind, Node, Operator, Pattern};
use super::operators::{arithmetic, compare, negate, no_overload};
use super::{Attributes, ConditionError, Position};
use crate::value::Value;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Stop {
    /// It depends on the attributes of the resource.
    Unknown,
    /// It is an error.
    Failed(Box<ConditionError>),
    /// It costs too much; nothing absorbs that.
    OutOfFuel(Box<ConditionError>),
}

type Outcome = Result<Value, Stop>;

/// One evaluation.
pub(super) struct Evaluation<'a> {
    attributes: Attributes<'a>,
    fuel: u64,
    locals: Vec<Value>,
    roles: Option<Value>,
    context: Option<Value>,
    met_unknown: bool,
}

fn fail<T>(at: Position, message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(Box::new(ConditionError::at(at, message))))
}

/// Returns what a text of this length costs to look at.
fn text_cost(length: usize) -> u64 {
    1 + u64::try_from(length / 32).unwrap_or(u64::MAX)
}

impl<'a> Evaluation<'a> {
    pub(super) const fn new(attributes: Attributes<'a>) -> Self {
        Self { attributes, fuel: FUEL, locals: Vec::new(), roles: None, context: None, met_unknown: false }
    }

    /// Evaluates the whole condition.
    pub(super) fn run(&mut self, root: &Node) -> Result<bool, Stop> {
        match self.truth(root) {
            // With the resource known it may take a shorter way.
            Err(Stop::OutOfFuel(_)) if self.met_unknown => Err(Stop::Unknown),
            other => other,
        }
    }

    fn charge(&mut self, at: Position, cost: u64) -> Result<(), Stop> {
        match self.fuel.checked_sub(cost) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(Stop::OutOfFuel(Box::new(ConditionError::at(at, "costs too much to evaluate")))),
        }
    }

    fn charge_items(&mut self, at: Position, items: usize) -> Result<(), Stop> {
        self.charge(at, u64::try_from(items).unwrap_or(u64::MAX))
    }

    fn truth(&mut self, node: &Node) -> Result<bool, Stop> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => fail(node.at, format!("must be true or false, not {}", other.type_name())),
        }
    }

    /// Evaluates a sub-expression outside loops.
    pub(super) fn value(&mut self, node: &Node) -> Outcome {
        self.charge(node.at, 1)?;
        let at = node.at;
        match &node.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Local(slot) => Ok(self.locals.get(*slot).cloned().unwrap_or(Value::Null)),
            Kind::And(left, right) => self.connect(left, right, false),
            Kind::Or(left, right) => self.connect(left, right, true),
            Kind::Not(operand) => Ok(Value::Bool(!self.truth(operand)?)),
            Kind::If(condition, yes, no) => {
                let chosen = if self.truth(condition)? { yes } else { no };
                self.value(chosen)
            }
            Kind::Negate(operand) => negate(&self.value(operand)?).or_else(|message| fail(at, message)),
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.binary(at, *operator, &left, &right)
            }
            Kind::Call(function, operands) => {
                let arguments = operands.iter().map(|operand| self.value(operand)).collect::<Result<Vec<_>, _>>()?;
                self.call(at, *function, &arguments)
            }
            Kind::Matches(text, pattern) => self.matches(text, pattern),
            Kind::Loop(comprehension) => self.comprehension(at, comprehension),
            Kind::List(elements) => {
                let elements = elements.iter().map(|element| self.value(element)).collect::<Result<_, _>>()?;
                Ok(Value::List(elements))
            }
            Kind::Map(entries) => self.map(entries),
            Kind::Select(operand, key) => {
                let operand = self.value(operand)?;
                select(at, &operand, key)
            }
            Kind::Index(operand, index) => {
                let (operand, index) = (self.value(operand)?, self.value(index)?);
                element(at, &operand, &index)
            }
            Kind::HasKey(operand, key) => match self.value(operand)? {
                Value::Map(entries) => Ok(Value::Bool(entries.contains_key(key))),
                other => fail(at, format!("{} has no attributes", other.type_name())),
            },
            attribute => self.attribute(at, attribute),
        }
    }

    /// Evaluates `&&` and `||`; `decisive` is the answer that one side alone decides.
    fn connect(&mut self, left: &Node, right: &Node, decisive: bool) -> Outcome {
        let first = match self.truth(left) {
            Ok(truth) if truth == decisive => return Ok(Value::Bool(decisive)),
            Ok(_) => return self.truth(right).map(Value::Bool),
            Err(Stop::OutOfFuel(error)) => return Err(Stop::OutOfFuel(error)),
            Err(stop) => stop,
        };
        match self.truth(right) {
            Ok(truth) if truth == decisive => Ok(Value::Bool(decisive)),
            Ok(_) => Err(first),
            Err(second) => Err(combine(first, second)),
        }
    }

    fn binary(&mut self, at: Position, operator: Operator, left: &Value, right: &Value) -> Outcome {
        match (operator, left, right) {
            (Operator::Equal, ..) => Ok(Value::Bool(self.equal(at, left, right)?)),
            (Operator::NotEqual, ..) => Ok(Value::Bool(!self.equal(at, left, right)?)),
            (Operator::In, _, Value::List(items)) => self.contains(at, items, left),
            (Operator::In, Value::String(key), Value::Map(entries)) => Ok(Value::Bool(entries.contains_key(key))),
            (Operator::Add, Value::String(left), Value::String(right)) => {
                let length = left.len() + right.len();
                if length > MAX_TEXT {
                    return fail(at, format!("the text would be longer than {MAX_TEXT} bytes"));
                }
                self.charge(at, text_cost(length))?;
                Ok(Value::String(concatenate(left, right)))
            }
            (Operator::Add, Value::List(left), Value::List(right)) => {
                self.charge_items(at, left.len() + right.len())?;
                Ok(Value::List(left.iter().chain(right.iter()).cloned().collect()))
            }
            (Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual, ..) => {
                if let (Value::String(left), Value::String(right)) = (left, right) {
                    self.charge(at, text_cost(left.len().min(right.len())))?;
                }
                match compare(left, right) {
                    Some(order) => Ok(Value::Bool(order.holds(operator))),
                    None => fail(at, no_overload(operator, left, right)),
                }
            }
            _ => arithmetic(operator, left, right).or_else(|message| fail(at, message)),
        }
    }

    /// Compares two values; values of different types are not equal, except numbers.
    fn equal(&mut self, at: Position, left: &Value, right: &Value) -> Result<bool, Stop> {
        match (left, right) {
            (Value::List(left), Value::List(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    self.charge(at, 1)?;
                    if !self.equal(at, left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Map(left), Value::Map(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (key, value) in left.iter() {
                    self.charge(at, text_cost(key.len()))?;
                    match right.get(key) {
                        Some(other) if self.equal(at, value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (Value::String(left), Value::String(right)) => {
                self.charge(at, text_cost(left.len().min(right.len())))?;
                Ok(left == right)
            }
            (Value::Null, Value::Null) => Ok(true),
            _ => Ok(compare(left, right).is_some_and(|order| order.0.is_some_and(std::cmp::Ordering::is_eq))),
        }
    }

    fn contains(&mut self, at: Position, items: &[Value], wanted: &Value) -> Outcome {
        for item in items {
            self.charge(at, 1)?;
            if self.equal(at, item, wanted)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    fn call(&mut self, at: Position, function: Function, arguments: &[Value]) -> Outcome {
        if let (Function::Contains, [Value::List(items), wanted]) = (function, arguments) {
            return self.contains(at, items, wanted);
        }
        for argument in arguments {
            if let Value::String(text) = argument {
                self.charge(at, text_cost(text.len()))?;
            }
        }
        apply(function, arguments).or_else(|message| fail(at, message))
    }

    fn matches(&mut self, text: &Node, pattern: &Pattern) -> Outcome {
        match self.value(text)? {
            Value::String(value) => {
                self.charge_items(text.at, value.len().saturating_mul(pattern.cost))?;
                Ok(Value::Bool(pattern.regex.is_match(&value)))
            }
            other => fail(text.at, format!("matches() takes a string, not {}", other.type_name())),
        }
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Outcome {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let Value::String(name) = self.value(key)? else {
                return fail(key.at, "a map key must be a string");
            };
            self.charge(key.at, text_cost(name.len()))?;
            if map.insert(name, self.value(value)?).is_some() {
                return fail(key.at, "a map key must not be repeated");
            }
        }
        Ok(Value::Map(Arc::new(map)))
    }
}

/// Combines why neither side of a connective has a value.
fn combine(first: Stop, second: Stop) -> Stop {
    match (first, second) {
        (_, Stop::OutOfFuel(error)) => Stop::OutOfFuel(error),
        (Stop::Unknown, _) | (_, Stop::Unknown) => Stop::Unknown,
        (first, _) => first,
    }
}

fn select(at: Position, operand: &Value, key: &str) -> Outcome {
    match operand {
        Value::Map(entries) => match entries.get(key) {
            Some(value) => Ok(value.clone()),
            None => fail(at, format!("no such key `{key}`")),
        },
        other => fail(at, format!("{} has no attributes", other.type_name())),
    }
}

fn element(at: Position, operand: &Value, index: &Value) -> Outcome {
    let found = match (operand, index) {
        (Value::List(items), Value::Int(index)) => usize::try_from(*index).ok().and_then(|index| items.get(index)),
        (Value::Map(entries), Value::String(key)) => entries.get(key),
        _ => return fail(at, format!("{} cannot be indexed by {}", operand.type_name(), index.type_name())),
    };
    match found {
        Some(value) => Ok(value.clone()),
        None => fail(at, "no such element"),
    }
}
