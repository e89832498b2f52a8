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
