//! Compiles and evaluates the CEL expression of a policy; the only place that knows the CEL crate.
//!
//! The crate parses. What it does not give is here: limits before and after parsing, a checker that knows which variables,
//! attributes, functions and types there are and where each was written, and an evaluator that counts its steps, says
//! where an error happened, and knows the difference between "false" and "not known before the resource is fetched".
//! A test compares the evaluator with the crate's own, value for value.
//!
//! The language is CEL without unsigned integers, bytes, messages and optional values, with `list.contains(x)` added.

mod check;
mod evaluate;
mod functions;
pub mod limits;
mod node;
mod operators;
mod split;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};

use self::evaluate::{Evaluation, Stop};
use self::limits::{BigStack, on_big_stack};
use self::node::Node;
use crate::attributes::ResourceAttributes;
use crate::request::{Action, Resource};
use crate::subject::SubjectFacts;

/// A place in the source, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// Finds the place of a byte, counted from 0.
    fn of_byte(source: &str, offset: usize) -> Self {
        let mut place = Self::START;
        for (_, character) in source.char_indices().take_while(|(at, _)| *at < offset) {
            if character == '\n' {
                place = Self { line: place.line + 1, column: 1 };
            } else {
                place.column += 1;
            }
        }
        place
    }
}

/// Says where and why a condition does not compile or cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column} {message}")]
pub struct ConditionError {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong. Names of attributes and types, never values.
    pub message: String,
}

impl ConditionError {
    fn at(position: Position, message: impl Into<String>) -> Self {
        Self { line: position.line, column: position.column, message: message.into() }
    }
}

/// Says why an evaluation gave neither true nor false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// It depends on attributes of the resource that are not known.
    NeedsResource,
    /// It failed, and would fail with any attributes of the resource.
    Failed(ConditionError),
}

/// A compiled condition.
pub struct Condition {
    source: Box<str>,
    program: Program,
    reads: BTreeSet<&'static str>,
    reads_roles: bool,
}

enum Program {
    Checked(Node),
    Failing(ConditionError),
}

/// What a condition may read in one decision.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The subject.
    pub subject: &'a SubjectFacts,
    /// The action asked for.
    pub action: &'a Action,
    /// The resource asked for.
    pub resource: &'a Resource,
    /// What its owner says about it.
    pub resource_attributes: &'a ResourceAttributes,
    /// What the caller says, a root of its own.
    pub context: &'a BTreeMap<String, String>,
    /// The time of the decision.
    pub now: DateTime<Utc>,
}

impl Condition {
    /// Compiles a condition, on a thread with a large stack; for many at once use
    /// [`Policy::compile_all`](crate::Policy::compile_all).
    pub fn compile(source: &str) -> Result<Self, ConditionError> {
        on_big_stack(|stack| Self::compile_on(source, stack)).unwrap_or_else(|_| Err(not_compiled()))
    }

    /// Compiles a condition where the stack is large.
    pub(crate) fn compile_on(source: &str, _stack: &BigStack) -> Result<Self, ConditionError> {
        limits::check_source(source)?;
        // The parser is generated code that asserts what it believes; a wrong belief must not end a batch.
        let checked =
            catch_unwind(AssertUnwindSafe(|| check::check(source))).unwrap_or_else(|_| Err(not_compiled()))?;
        Ok(Self {
            source: source.into(),
            program: Program::Checked(checked.root),
            reads: checked.reads,
            reads_roles: checked.reads_roles,
        })
    }

    /// Makes the condition that always fails: what stands for a stored one that does not compile any more.
    pub(crate) fn failing(source: &str, error: ConditionError) -> Self {
        Self { source: source.into(), program: Program::Failing(error), reads: BTreeSet::new(), reads_roles: false }
    }

    /// Evaluates the condition, in bounded time and memory.
    pub fn evaluate(&self, attributes: &Attributes<'_>) -> Result<bool, Unresolved> {
        let root = match &self.program {
            Program::Checked(root) => root,
            Program::Failing(error) => return Err(Unresolved::Failed(error.clone())),
        };
        Evaluation::new(*attributes).run(root).map_err(|stop| match stop {
            Stop::Unknown => Unresolved::NeedsResource,
            Stop::Failed(error) | Stop::OutOfFuel(error) => Unresolved::Failed(*error),
        })
    }

    /// Returns the attributes that the owner of the resource must be asked for; `resource.type` and `resource.id` are not
    /// among them.
    pub fn reads(&self) -> &BTreeSet<&'static str> {
        &self.reads
    }

    /// Tells whether the condition reads `subject.roles`.
    pub const fn reads_roles(&self) -> bool {
        self.reads_roles
    }

    /// Returns the text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

fn not_compiled() -> ConditionError {
    ConditionError::at(Position::START, "cannot be compiled")
}
