//! Evaluates comprehensions.

use std::sync::Arc;

use super::{Evaluation, Outcome, Stop, combine, fail};
use crate::condition::Position;
use crate::condition::node::{Loop, LoopKind, Node};
use crate::value::Value;

impl Evaluation<'_> {
    pub(super) fn comprehension(&mut self, at: Position, comprehension: &Loop) -> Outcome {
        let items = match self.value(&comprehension.range)? {
            Value::List(items) => items,
            Value::Map(entries) => {
                self.charge_items(at, entries.len())?;
                entries.keys().map(|key| Value::String(Arc::clone(key))).collect()
            }
            other => return fail(at, format!("{} has no elements to go through", other.type_name())),
        };
        let depth = self.locals.len();
        let result = match comprehension.kind {
            LoopKind::All => self.quantify(&items, &comprehension.body, false),
            LoopKind::Exists => self.quantify(&items, &comprehension.body, true),
            LoopKind::ExistsOne => self.collect(&items, comprehension).map(|found| Value::Bool(found.len() == 1)),
            LoopKind::Map | LoopKind::Filter => {
                self.collect(&items, comprehension).map(|found| Value::List(found.into()))
            }
        };
        self.locals.truncate(depth);
        result
    }

    /// Evaluates `all` and `exists`: `&&` and `||` over the elements.
    fn quantify(&mut self, items: &[Value], body: &Node, decisive: bool) -> Outcome {
        let mut stop: Option<Stop> = None;
        for item in items {
            self.locals.push(item.clone());
            let truth = self.truth(body);
            self.locals.pop();
            match truth {
                Ok(truth) if truth == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Stop::OutOfFuel(error)) => return Err(Stop::OutOfFuel(error)),
                Err(next) => {
                    stop = Some(match stop {
                        Some(first) => combine(first, next),
                        None => next,
                    });
                }
            }
        }
        stop.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    /// Evaluates `map`, `filter` and what `exists_one` counts.
    fn collect(&mut self, items: &[Value], comprehension: &Loop) -> Result<Vec<Value>, Stop> {
        let mut found = Vec::new();
        for item in items {
            self.locals.push(item.clone());
            let taken = match &comprehension.filter {
                Some(filter) => self.truth(filter)?,
                None => true,
            };
            if taken && comprehension.kind == LoopKind::Map {
                found.push(self.value(&comprehension.body)?);
            } else if taken && self.truth(&comprehension.body)? {
                found.push(item.clone());
            }
            self.locals.pop();
        }
        Ok(found)
    }
}
