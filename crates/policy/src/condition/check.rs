//! Checks a parsed condition and turns it into what the evaluator walks.

mod calls;
pub(super) mod kind;

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo};
use cel::{Env, ParseErrors};

use self::kind::{fits, join, name};
use super::limits::{MAX_DEPTH, MAX_NODES};
use super::node::{Kind, Node};
use super::{ConditionError, Position};
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
