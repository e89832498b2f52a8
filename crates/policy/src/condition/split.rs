//! Splits a condition into two filters over the resource's attributes: where it is true, and where it is false.

use super::evaluate::{Evaluation, Stop};
use super::node::{Function, Kind, Node, Operator};
use super::{Attributes, Condition, Program};
use crate::attributes::AttributeType;
use crate::plan::{Filter, ID_COLUMN, Term};
use crate::value::Value;

/// Where a sub-expression is true, and where it is false; it fails elsewhere.
struct Split {
    holds: Term,
    fails: Term,
}

impl Split {
    const OPAQUE: Self = Self { holds: Term::Opaque, fails: Term::Opaque };
    const ERROR: Self = Self { holds: Term::Never, fails: Term::Never };

    /// Splits a test of a column that fails where the column is missing.
    fn test(column: &'static str, holds: Term) -> Self {
        let there = if column == ID_COLUMN { Term::Always } else { Term::has(column) };
        Self { fails: there.and(holds.clone().negate()), holds }
    }

    fn negate(self) -> Self {
        Self { holds: self.fails, fails: self.holds }
    }
}

impl Condition {
    /// Splits the condition for one subject and request; `resource` in `attributes` is the collection.
    pub(crate) fn split(&self, attributes: &Attributes<'_>) -> (Term, Term) {
        let split = match &self.program {
            Program::Checked(root) => split(root, &mut Evaluation::new(*attributes)),
            Program::Failing(_) => Split::ERROR,
        };
        (split.holds, split.fails)
    }
}

fn split(node: &Node, evaluation: &mut Evaluation<'_>) -> Split {
    if !node.reads_resource() {
        return match evaluation.run(node) {
            Ok(true) => Split { holds: Term::Always, fails: Term::Never },
            Ok(false) => Split { holds: Term::Never, fails: Term::Always },
            Err(Stop::Failed(_)) => Split::ERROR,
            Err(Stop::Unknown | Stop::OutOfFuel(_)) => Split::OPAQUE,
        };
    }
    match &node.kind {
        Kind::And(left, right) => {
            let (left, right) = (split(left, evaluation), split(right, evaluation));
            Split { holds: left.holds.and(right.holds), fails: left.fails.or(right.fails) }
        }
        Kind::Or(left, right) => {
            let (left, right) = (split(left, evaluation), split(right, evaluation));
            Split { holds: left.holds.or(right.holds), fails: left.fails.and(right.fails) }
        }
        Kind::Not(operand) => split(operand, evaluation).negate(),
        Kind::If(condition, yes, no) => {
            let condition = split(condition, evaluation);
            let (yes, no) = (split(yes, evaluation), split(no, evaluation));
            let choose = |yes: Term, no: Term| condition.holds.clone().and(yes).or(condition.fails.clone().and(no));
            Split { holds: choose(yes.holds, no.holds), fails: choose(yes.fails, no.fails) }
        }
        Kind::Binary(Operator::Equal, left, right) => equality(left, right, evaluation),
        Kind::Binary(Operator::NotEqual, left, right) => equality(left, right, evaluation).negate(),
        Kind::Binary(Operator::In, item, list) => membership(item, list, evaluation),
        Kind::Call(Function::Contains, operands) => match operands.as_slice() {
            [list, item] => membership(item, list, evaluation),
            _ => Split::OPAQUE,
        },
        Kind::Resource(column, AttributeType::Bool) => {
            Split { holds: Term::equals(column, Value::Bool(true)), fails: Term::equals(column, Value::Bool(false)) }
        }
        Kind::HasResource(column) => Split { holds: Term::has(column), fails: Term::has(column).negate() },
        Kind::HasResourceId => Split { holds: Term::Always, fails: Term::Never },
        _ => Split::OPAQUE,
    }
}

/// Returns the column that a node reads, if it does nothing else. Lists are not columns: reading one that is too long
/// fails, which a filter does not see.
fn column(node: &Node) -> Option<(&'static str, AttributeType)> {
    match &node.kind {
        Kind::ResourceId => Some((ID_COLUMN, AttributeType::String)),
        Kind::Resource(_, AttributeType::Strings) => None,
        Kind::Resource(name, of) => Some((name, *of)),
        _ => None,
    }
}

/// Computes an operand that is the same for every row.
fn constant(node: &Node, evaluation: &mut Evaluation<'_>) -> Result<Value, Split> {
    if node.reads_resource() {
        return Err(Split::OPAQUE);
    }
    evaluation.value(node).map_err(|stop| match stop {
        Stop::Failed(_) => Split::ERROR,
        Stop::Unknown | Stop::OutOfFuel(_) => Split::OPAQUE,
    })
}

fn equality(left: &Node, right: &Node, evaluation: &mut Evaluation<'_>) -> Split {
    let (cell, operand) = match (column(left), column(right)) {
        (Some(cell), None) => (cell, right),
        (None, Some(cell)) => (cell, left),
        _ => return Split::OPAQUE,
    };
    match constant(operand, evaluation) {
        Ok(value) if cell.1.accepts(&value) => Split::test(cell.0, Term::equals(cell.0, value)),
        // Values of different types are not equal.
        Ok(_) => Split::test(cell.0, Term::Never),
        Err(split) => split,
    }
}

fn membership(item: &Node, list: &Node, evaluation: &mut Evaluation<'_>) -> Split {
    let Some((name, of)) = column(item) else {
        return Split::OPAQUE;
    };
    match constant(list, evaluation) {
        Ok(Value::List(items)) => {
            let values: Vec<Value> = items.iter().filter(|value| of.accepts(value)).cloned().collect();
            let holds = if values.is_empty() { Term::Never } else { Term::Filter(Filter::In { column: name, values }) };
            Split::test(name, holds)
        }
        Ok(_) => Split::OPAQUE,
        Err(split) => split,
    }
}
