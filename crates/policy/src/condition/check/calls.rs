//! Checks calls: operators, functions, methods and loops.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use regex::RegexBuilder;

use super::kind::{fits, join, name};
use super::{Checker, ROOTS, Step};
use crate::attributes::Type;
use crate::condition::limits::MAX_LOOPS;
use crate::condition::node::{Kind, Loop, LoopKind, Node, Operator, Pattern};
use crate::condition::operators::result_type;
use crate::condition::{ConditionError, functions};
use crate::value::Value;

impl Checker<'_> {
    pub(super) fn call(&mut self, expression: &IdedExpr, call: &CallExpr) -> Step {
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_AND, None, [left, right]) => {
                Ok((Kind::And(self.bool(left)?, self.bool(right)?), Type::Bool))
            }
            (operators::LOGICAL_OR, None, [left, right]) => {
                Ok((Kind::Or(self.bool(left)?, self.bool(right)?), Type::Bool))
            }
            (operators::LOGICAL_NOT, None, [operand]) => Ok((Kind::Not(self.bool(operand)?), Type::Bool)),
            (operators::NEGATE, None, [operand]) => self.negate(expression, operand),
            (operators::CONDITIONAL, None, [condition, yes, no]) => {
                let condition = self.bool(condition)?;
                let (yes, no) = (self.node(yes)?, self.node(no)?);
                let of = join([&yes.of, &no.of].into_iter());
                Ok((Kind::If(condition, Box::new(yes.node), Box::new(no.node)), of))
            }
            (operators::INDEX, None, [operand, index]) => self.index(expression, operand, index),
            ("has", None, [argument]) => self.has(expression, argument),
            ("matches", Some(text), [pattern]) | ("matches", None, [text, pattern]) => self.matches(text, pattern),
            (function, Some(range), [variable, rest @ ..]) if loop_kind(function, rest.len()).is_some() => {
                let kind = loop_kind(function, rest.len()).unwrap_or(LoopKind::All);
                self.comprehension(expression, kind, range, variable, rest)
            }
            (operator, None, [left, right]) if binary(operator).is_some() => {
                let operator = binary(operator).unwrap_or(Operator::Equal);
                let (left, right) = (self.node(left)?, self.node(right)?);
                match result_type(operator, &left.of, &right.of) {
                    Ok(of) => Ok((Kind::Binary(operator, Box::new(left.node), Box::new(right.node)), of)),
                    Err(message) => self.refuse(expression, message),
                }
            }
            (function, target, arguments) => self.function(expression, function, target, arguments),
        }
    }

    fn negate(&mut self, expression: &IdedExpr, operand: &IdedExpr) -> Step {
        let operand = self.node(operand)?;
        if !matches!(operand.of, Type::Int | Type::Double | Type::Dyn) {
            return self.refuse(expression, format!("`-` does not apply to {}", name(&operand.of)));
        }
        Ok((Kind::Negate(Box::new(operand.node)), operand.of))
    }

    fn index(&mut self, expression: &IdedExpr, operand: &IdedExpr, index: &IdedExpr) -> Step {
        if let (Some(root), Expr::Literal(LiteralValue::String(attribute))) = (self.root(operand), &index.expr) {
            return self.attribute(expression, root, attribute.inner());
        }
        let (operand, index) = (self.node(operand)?, self.node(index)?);
        let of = match (&operand.of, &index.of) {
            (Type::List(of), Type::Int | Type::Dyn) | (Type::Map(of), Type::String | Type::Dyn) => (**of).clone(),
            (Type::Dyn, Type::Int | Type::String | Type::Dyn) => Type::Dyn,
            (operand, index) => {
                return self.refuse(expression, format!("{} cannot be indexed by {}", name(operand), name(index)));
            }
        };
        Ok((Kind::Index(Box::new(operand.node), Box::new(index.node)), of))
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr) -> Step {
        let text = self.node(text)?;
        if !fits(&text.of, &Type::String) {
            return Err(ConditionError::at(text.node.at, format!("matches() takes a string, not {}", name(&text.of))));
        }
        let Expr::Literal(LiteralValue::String(literal)) = &pattern.expr else {
            return self.refuse(pattern, "a regular expression must be a literal");
        };
        self.nodes += 1;
        match compile_regex(literal.inner()) {
            Some(compiled) => Ok((Kind::Matches(Box::new(text.node), compiled), Type::Bool)),
            None => self.refuse(pattern, "is not a regular expression, or too large a one"),
        }
    }

    fn comprehension(
        &mut self,
        expression: &IdedExpr,
        kind: LoopKind,
        range: &IdedExpr,
        variable: &IdedExpr,
        rest: &[IdedExpr],
    ) -> Step {
        let range = self.node(range)?;
        let element = match &range.of {
            Type::List(of) => (**of).clone(),
            Type::Map(_) => Type::String,
            Type::Dyn => Type::Dyn,
            other => return self.refuse(expression, format!("{} has no elements to go through", name(other))),
        };
        let Expr::Ident(variable_name) = &variable.expr else {
            return self.refuse(variable, "must be a simple name");
        };
        if ROOTS.contains(&variable_name.as_str()) {
            return self.refuse(variable, format!("`{variable_name}` is taken; choose another name"));
        }
        if self.scope.len() == MAX_LOOPS {
            return self.refuse(expression, format!("loops must not be nested deeper than {MAX_LOOPS}"));
        }
        self.scope.push((variable_name.clone(), element.clone()));
        let (filter, body) = match rest {
            [filter, body] => (Some(*self.bool(filter)?), self.node(body)?),
            [body] => (None, self.node(body)?),
            _ => return self.refuse(expression, "is not supported"),
        };
        self.scope.pop();
        if kind != LoopKind::Map && !fits(&body.of, &Type::Bool) {
            return Err(ConditionError::at(body.node.at, format!("must be true or false, not {}", name(&body.of))));
        }
        let of = match kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Type::Bool,
            LoopKind::Map => Type::List(Box::new(body.of)),
            LoopKind::Filter => Type::List(Box::new(element)),
        };
        let comprehension = Loop { kind, range: range.node, filter, body: body.node };
        Ok((Kind::Loop(Box::new(comprehension)), of))
    }

    fn function(
        &mut self,
        expression: &IdedExpr,
        function: &str,
        target: Option<&IdedExpr>,
        arguments: &[IdedExpr],
    ) -> Step {
        if !functions::exists(function, target.is_some()) {
            let kind = if target.is_some() { "method" } else { "function" };
            return self.refuse(expression, format!("unknown {kind} `{function}`"));
        }
        let mut operands = target.map(|target| self.node(target)).transpose()?.into_iter().collect::<Vec<_>>();
        operands.extend(self.nodes(arguments)?);
        let types: Vec<&Type> = operands.iter().map(|operand| &operand.of).collect();
        let Some((found, of)) = functions::resolve(function, target.is_some(), &types) else {
            let given: Vec<String> = types.into_iter().map(name).collect();
            return self.refuse(expression, format!("`{function}` does not apply to ({})", given.join(", ")));
        };
        let operands: Vec<Node> = operands.into_iter().map(|operand| operand.node).collect();
        // A time or a duration that is written out is read once, now, and a wrong one is refused.
        if let [Node { kind: Kind::Literal(literal @ Value::String(_)), .. }] = operands.as_slice() {
            return match functions::apply(found, std::slice::from_ref(literal)) {
                Ok(value) => Ok((Kind::Literal(value), of)),
                Err(message) => self.refuse(expression, message),
            };
        }
        Ok((Kind::Call(found, operands), of))
    }
}

fn loop_kind(function: &str, arguments: usize) -> Option<LoopKind> {
    match (function, arguments) {
        ("all", 1) => Some(LoopKind::All),
        ("exists", 1) => Some(LoopKind::Exists),
        ("exists_one" | "existsOne", 1) => Some(LoopKind::ExistsOne),
        ("map", 1 | 2) => Some(LoopKind::Map),
        ("filter", 1) => Some(LoopKind::Filter),
        _ => None,
    }
}

fn binary(operator: &str) -> Option<Operator> {
    Some(match operator {
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessOrEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterOrEqual,
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        operators::IN => Operator::In,
        _ => return None,
    })
}

/// Compiles a regular expression within a size limit; the larger it had to be, the more a matched byte costs.
fn compile_regex(pattern: &str) -> Option<Pattern> {
    [(8, 1), (16, 2), (32, 4), (64, 8)].into_iter().find_map(|(kibibytes, cost)| {
        let limit = kibibytes * 1024;
        let regex =
            RegexBuilder::new(pattern).size_limit(limit).dfa_size_limit(limit * 4).nest_limit(32).build().ok()?;
        Some(Pattern { regex, cost })
    })
}
