//! Holds a condition after it was checked: what the evaluator walks.

use std::sync::Arc;

use regex::Regex;

use super::Position;
use crate::attributes::{AttributeType, SubjectAttribute};
use crate::value::Value;

/// A checked sub-expression and where it was written.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

/// What a sub-expression does.
#[derive(Debug)]
pub(crate) enum Kind {
    Literal(Value),
    Subject(SubjectAttribute),
    ResourceType,
    ResourceId,
    Resource(&'static str, AttributeType),
    Action,
    RequestTime,
    Context,
    /// A variable of an enclosing loop, counted from the outermost.
    Local(usize),
    HasSubject(SubjectAttribute),
    HasResourceId,
    HasResource(&'static str),
    /// `has(x.key)` on a map.
    HasKey(Box<Node>, Arc<str>),
    Select(Box<Node>, Arc<str>),
    Index(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Pattern),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Loop(Box<Loop>),
}

impl Node {
    /// Tells whether the value depends on which resource is asked about, its type aside.
    pub(crate) fn reads_resource(&self) -> bool {
        match &self.kind {
            Kind::Resource(..) | Kind::HasResource(_) | Kind::ResourceId | Kind::HasResourceId => true,
            Kind::Literal(_)
            | Kind::Subject(_)
            | Kind::ResourceType
            | Kind::Action
            | Kind::RequestTime
            | Kind::Context
            | Kind::Local(_)
            | Kind::HasSubject(_) => false,
            Kind::HasKey(operand, _) | Kind::Select(operand, _) | Kind::Not(operand) | Kind::Negate(operand) => {
                operand.reads_resource()
            }
            Kind::Matches(text, _) => text.reads_resource(),
            Kind::Index(one, other) | Kind::And(one, other) | Kind::Or(one, other) | Kind::Binary(_, one, other) => {
                one.reads_resource() || other.reads_resource()
            }
            Kind::If(condition, yes, no) => condition.reads_resource() || yes.reads_resource() || no.reads_resource(),
            Kind::Call(_, nodes) | Kind::List(nodes) => nodes.iter().any(Self::reads_resource),
            Kind::Map(entries) => entries.iter().any(|(key, value)| key.reads_resource() || value.reads_resource()),
            Kind::Loop(inner) => {
                let filtered = inner.filter.as_ref().is_some_and(Self::reads_resource);
                filtered || inner.range.reads_resource() || inner.body.reads_resource()
            }
        }
    }
}

/// A regular expression, and what matching one byte costs.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) regex: Regex,
    pub(crate) cost: usize,
}

/// A comprehension.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) kind: LoopKind,
    pub(crate) range: Node,
    /// Which elements take part, for the `map` with a filter.
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}

/// Which comprehension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

/// An operator with two operands, both of which are always evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    In,
}

impl Operator {
    /// Returns the operator as it is written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::In => "in",
        }
    }
}

/// A function or method; the receiver of a method is its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    ToInt,
    ToDouble,
    ToText,
    ToTimestamp,
    ToDuration,
    Part(TimePart),
}

/// A part of a point in time, in UTC, counted as CEL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimePart {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}
