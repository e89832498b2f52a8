//! Checks a parsed condition and turns it into what the evaluator walks.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo, operators};
use cel::{Env, ParseErrors};
use regex::RegexBuilder;

use super::limits::{MAX_DEPTH, MAX_LOOPS, MAX_NODES};
use super::node::{Kind, Loop, LoopKind, Node, Operator, Pattern};
use super::operators::result_type;
use super::{ConditionError, Position, functions};
use crate::attributes::{RESOURCE_ATTRIBUTES, SubjectAttribute, Type, resource_attribute};
use crate::value::Value;

/// The longest parser message that is passed on.
const MAX_MESSAGE: usize = 200;
/// The names of the variables, which a loop variable must not hide.
const ROOTS: [&str; 5] = ["subject", "resource", "request", "context", "action"];

/// A condition that may be evaluated.
pub(super) struct Checked {
    pub(super) root: Node,
    pub(super) reads: BTreeSet<&'static str>,
    pub(super) reads_roles: bool,
}

/// A checked sub-expression and its type.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) of: Type,
}

/// Parses and checks `source`.
pub(super) fn check(source: &str) -> Result<Checked, ConditionError> {
    // Without macros: `x.all(…)` stays a call, and this checker, not an expansion, says what it means.
    let parser = Env::default().with_optional_support(false);
    let program = parser.compile(source).map_err(|errors| syntax_error(&errors))?;
    let mut checker = Checker {
        source,
        places: program.source_info(),
        scope: Vec::new(),
        nodes: 0,
        depth: 0,
        reads: BTreeSet::new(),
        reads_roles: false,
    };
    let root = checker.node(program.expression())?;
    if !fits(&root.of, &Type::Bool) {
        return Err(ConditionError::at(root.node.at, format!("must be true or false, not {}", name(&root.of))));
    }
    Ok(Checked { root: root.node, reads: checker.reads, reads_roles: checker.reads_roles })
}

fn syntax_error(errors: &ParseErrors) -> ConditionError {
    let Some(first) = errors.errors.first() else {
        return super::not_compiled();
    };
    let place = |number: isize| u32::try_from(number).unwrap_or(1).max(1);
    let message: String = first.msg.chars().filter(|character| !character.is_control()).take(MAX_MESSAGE).collect();
    ConditionError { line: place(first.pos.0), column: place(first.pos.1), message }
}

/// Names a type as conditions call it.
pub(super) fn name(of: &Type) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Double => "double".to_owned(),
        Type::String => "string".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Null => "null".to_owned(),
        Type::List(of) => format!("list({})", name(of)),
        Type::Map(of) => format!("map(string, {})", name(of)),
        Type::Dyn => "dyn".to_owned(),
    }
}

/// Tells whether a value of type `given` may stand where `wanted` is needed.
pub(super) fn fits(given: &Type, wanted: &Type) -> bool {
    match (given, wanted) {
        (Type::Dyn, _) | (_, Type::Dyn) => true,
        (Type::List(given), Type::List(wanted)) | (Type::Map(given), Type::Map(wanted)) => fits(given, wanted),
        _ => given == wanted,
    }
}

/// Returns the type of a value that is one of several.
fn join<'t>(mut types: impl Iterator<Item = &'t Type>) -> Type {
    let Some(first) = types.next() else {
        return Type::Dyn;
    };
    if types.all(|other| other == first) { first.clone() } else { Type::Dyn }
}

struct Checker<'s> {
    source: &'s str,
    places: &'s SourceInfo,
    scope: Vec<(String, Type)>,
    nodes: usize,
    depth: usize,
    reads: BTreeSet<&'static str>,
    reads_roles: bool,
}

type Step = Result<(Kind, Type), ConditionError>;

impl Checker<'_> {
    fn place(&self, expression: &IdedExpr) -> Position {
        let offset = self.places.offset_for(expression.id).map_or(0, |(start, _)| start);
        Position::of_byte(self.source, usize::try_from(offset).unwrap_or(0))
    }

    fn refuse<T>(&self, expression: &IdedExpr, message: impl Into<String>) -> Result<T, ConditionError> {
        Err(ConditionError::at(self.place(expression), message))
    }

    fn node(&mut self, expression: &IdedExpr) -> Result<Typed, ConditionError> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > MAX_NODES {
            return self.refuse(expression, format!("must not have more than {MAX_NODES} parts"));
        }
        if self.depth > MAX_DEPTH {
            return self.refuse(expression, format!("must not be nested deeper than {MAX_DEPTH}"));
        }
        let (kind, of) = match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(variable) => self.variable(expression, variable),
            Expr::Select(select) => self.select(expression, select),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(list) => self.list(&list.elements),
            Expr::Map(map) => self.map(expression, map),
            Expr::Struct(_) => self.refuse(expression, "messages are not supported"),
            Expr::Comprehension(_) | Expr::Unspecified => self.refuse(expression, "is not supported"),
        }?;
        self.depth -= 1;
        Ok(Typed { node: Node { at: self.place(expression), kind }, of })
    }

    fn nodes(&mut self, expressions: &[IdedExpr]) -> Result<Vec<Typed>, ConditionError> {
        expressions.iter().map(|expression| self.node(expression)).collect()
    }

    fn bool(&mut self, expression: &IdedExpr) -> Result<Box<Node>, ConditionError> {
        let typed = self.node(expression)?;
        if fits(&typed.of, &Type::Bool) {
            Ok(Box::new(typed.node))
        } else {
            Err(ConditionError::at(typed.node.at, format!("must be true or false, not {}", name(&typed.of))))
        }
    }

    fn literal(&self, expression: &IdedExpr, literal: &LiteralValue) -> Step {
        let (value, of) = match literal {
            LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Bool),
            LiteralValue::Int(value) => (Value::Int(*value.inner()), Type::Int),
            LiteralValue::Double(value) => (Value::Double(*value.inner()), Type::Double),
            LiteralValue::String(value) => (Value::from(value.inner()), Type::String),
            LiteralValue::Null => (Value::Null, Type::Null),
            LiteralValue::UInt(_) => {
                return self.refuse(expression, "unsigned integers are not supported: leave out the `u`");
            }
            LiteralValue::Bytes(_) => return self.refuse(expression, "bytes are not supported: leave out the `b`"),
        };
        Ok((Kind::Literal(value), of))
    }

    fn local(&self, variable: &str) -> Option<(usize, &Type)> {
        let found = self.scope.iter().rposition(|(known, _)| known == variable)?;
        Some((found, &self.scope[found].1))
    }

    fn variable(&self, expression: &IdedExpr, variable: &str) -> Step {
        if let Some((slot, of)) = self.local(variable) {
            return Ok((Kind::Local(slot), of.clone()));
        }
        match variable {
            "action" => Ok((Kind::Action, Type::String)),
            "context" => Ok((Kind::Context, Type::Map(Box::new(Type::String)))),
            "subject" | "resource" | "request" => self.refuse(
                expression,
                format!("`{variable}` is read by attribute, such as `{variable}.{}`", example(variable)),
            ),
            _ => self.refuse(expression, format!("unknown variable `{variable}`; there are {}", ROOTS.join(", "))),
        }
    }

    /// Returns the variable whose attribute is read where `operand` is written; none for maps.
    fn root<'e>(&self, operand: &'e IdedExpr) -> Option<&'e str> {
        match &operand.expr {
            Expr::Ident(variable) if self.local(variable).is_none() => {
                Some(variable.as_str()).filter(|variable| matches!(*variable, "subject" | "resource" | "request"))
            }
            _ => None,
        }
    }

    fn select(&mut self, expression: &IdedExpr, select: &SelectExpr) -> Step {
        if let Some(root) = self.root(&select.operand) {
            return self.attribute(expression, root, &select.field);
        }
        let operand = self.node(&select.operand)?;
        match &operand.of {
            Type::Map(of) => Ok((Kind::Select(Box::new(operand.node), select.field.as_str().into()), (**of).clone())),
            Type::Dyn => Ok((Kind::Select(Box::new(operand.node), select.field.as_str().into()), Type::Dyn)),
            other => self.refuse(expression, format!("{} has no attributes", name(other))),
        }
    }

    fn attribute(&mut self, expression: &IdedExpr, root: &str, attribute: &str) -> Step {
        match (root, attribute) {
            ("resource", "type") => return Ok((Kind::ResourceType, Type::String)),
            ("resource", "id") => return Ok((Kind::ResourceId, Type::String)),
            ("request", "time") => return Ok((Kind::RequestTime, Type::Timestamp)),
            _ => {}
        }
        if let ("subject", Some(found)) = (root, SubjectAttribute::find(attribute)) {
            self.reads_roles |= found == SubjectAttribute::Roles;
            return Ok((Kind::Subject(found), found.value_type()));
        }
        if let ("resource", Some((found, of))) = (root, resource_attribute(attribute)) {
            self.reads.insert(found);
            return Ok((Kind::Resource(found, of), of.value_type()));
        }
        self.refuse(expression, format!("unknown attribute `{root}.{attribute}`; there are {}", known_attributes(root)))
    }

    /// Checks `has(x.y)`.
    fn has(&mut self, expression: &IdedExpr, argument: &IdedExpr) -> Step {
        let Expr::Select(select) = &argument.expr else {
            return self.refuse(expression, "has() takes an attribute, such as `has(resource.owner)`");
        };
        if let Some(root) = self.root(&select.operand) {
            let (attribute, _) = self.attribute(argument, root, &select.field)?;
            let has = match attribute {
                Kind::Subject(attribute) => Kind::HasSubject(attribute),
                Kind::Resource(attribute, _) => Kind::HasResource(attribute),
                Kind::ResourceId => Kind::HasResourceId,
                _ => Kind::Literal(Value::Bool(true)),
            };
            return Ok((has, Type::Bool));
        }
        let operand = self.node(&select.operand)?;
        if !matches!(operand.of, Type::Map(_) | Type::Dyn) {
            return self.refuse(argument, format!("{} has no attributes", name(&operand.of)));
        }
        Ok((Kind::HasKey(Box::new(operand.node), select.field.as_str().into()), Type::Bool))
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Step {
        let elements = self.nodes(elements)?;
        let of = join(elements.iter().map(|element| &element.of));
        let nodes = elements.into_iter().map(|element| element.node).collect();
        Ok((Kind::List(nodes), Type::List(Box::new(of))))
    }

    fn map(&mut self, expression: &IdedExpr, map: &MapExpr) -> Step {
        let mut entries = Vec::with_capacity(map.entries.len());
        let mut types = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return self.refuse(expression, "messages are not supported");
            };
            let key = self.node(&entry.key)?;
            if !fits(&key.of, &Type::String) {
                return self.refuse(&entry.key, format!("a map key must be a string, not {}", name(&key.of)));
            }
            let value = self.node(&entry.value)?;
            types.push(value.of);
            entries.push((key.node, value.node));
        }
        Ok((Kind::Map(entries), Type::Map(Box::new(join(types.iter())))))
    }

    fn call(&mut self, expression: &IdedExpr, call: &CallExpr) -> Step {
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

fn example(root: &str) -> &'static str {
    match root {
        "subject" => "id",
        "resource" => "owner",
        _ => "time",
    }
}

fn known_attributes(root: &str) -> String {
    let names: Vec<&str> = match root {
        "subject" => SubjectAttribute::ALL.iter().map(|(name, _)| *name).collect(),
        "resource" => ["type", "id"].into_iter().chain(RESOURCE_ATTRIBUTES.iter().map(|(name, _)| *name)).collect(),
        _ => vec!["time"],
    };
    names.join(", ")
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
