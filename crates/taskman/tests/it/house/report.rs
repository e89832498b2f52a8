//! What the tests say when a rule is broken.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// What breaks a rule, collected before the test fails.
#[derive(Default)]
pub(crate) struct Report(Vec<String>);

impl Report {
    /// Notes that `place` breaks the rule, and why.
    pub(crate) fn add(&mut self, place: impl std::fmt::Display, reason: impl std::fmt::Display) {
        self.0.push(format!("{place}: {reason}"));
    }

    /// Notes `reason` for `place` unless `holds`.
    pub(crate) fn check(&mut self, holds: bool, place: impl std::fmt::Display, reason: impl std::fmt::Display) {
        if !holds {
            self.add(place, reason);
        }
    }

    /// Fails with everything that was noted.
    pub(crate) fn finish(self) {
        assert!(self.0.is_empty(), "{} against the rules of the house:\n  {}\n", self.0.len(), self.0.join("\n  "));
    }
}

/// A table of what may break a rule: what, and why.
pub(crate) struct Exceptions {
    table: &'static [(&'static str, &'static str)],
    used: RefCell<BTreeSet<&'static str>>,
}

impl Exceptions {
    /// Takes the table.
    pub(crate) fn new(table: &'static [(&'static str, &'static str)]) -> Self {
        Self { table, used: RefCell::default() }
    }

    /// Says whether `what` may break the rule.
    pub(crate) fn excuse(&self, what: &str) -> bool {
        let entry = self.table.iter().find(|(excused, _)| *excused == what);
        entry.is_some_and(|(excused, _)| {
            self.used.borrow_mut().insert(excused);
            true
        })
    }

    /// Notes the entries that excused nothing, and those that give no reason.
    pub(crate) fn finish(self, report: &mut Report) {
        for (what, reason) in self.table {
            report.check(self.used.borrow().contains(what), what, "this exception excuses nothing any more: remove it");
            report.check(!reason.is_empty(), what, "an exception needs a reason");
        }
    }
}
