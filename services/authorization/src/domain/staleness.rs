//! How old the facts of a decision may be.

use std::time::Duration;

use taskman_policy::Action;

/// The greatest age of the facts, by what is asked for (identity.md 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For `iam:` actions, read or change.
    pub iam: Duration,
    /// For other changes.
    pub change: Duration,
    /// For other reads.
    pub read: Duration,
}

impl Bounds {
    /// Returns the bound for an action of which it is known whether it changes anything.
    pub fn of(&self, action: &Action, mutating: bool) -> Duration {
        match action.segments().next() {
            Some("iam") => self.iam,
            _ if mutating => self.change,
            _ => self.read,
        }
    }

    /// Returns the bound for an action of which only the name is known: what is not named as a view counts as a change.
    pub fn of_name(&self, action: &Action) -> Duration {
        let is_view = action.segments().last().is_some_and(|verb| matches!(verb, "view" | "view_all" | "read"));
        self.of(action, !is_view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds =
        Bounds { iam: Duration::from_secs(2), change: Duration::from_secs(30), read: Duration::from_mins(5) };

    #[test]
    fn iam_is_the_strictest_whatever_is_done() {
        let roles = Action::parse("iam:roles:view").unwrap();
        assert_eq!((BOUNDS.of(&roles, false), BOUNDS.of_name(&roles)), (BOUNDS.iam, BOUNDS.iam));
        assert_eq!(BOUNDS.of(&Action::parse("iamx:view").unwrap(), false), BOUNDS.read);
    }

    #[test]
    fn a_change_may_rest_on_less_old_facts_than_a_read() {
        let edit = Action::parse("tasks:edit").unwrap();
        assert_eq!((BOUNDS.of(&edit, true), BOUNDS.of(&edit, false)), (BOUNDS.change, BOUNDS.read));
        assert_eq!(BOUNDS.of_name(&edit), BOUNDS.change);
        assert_eq!(BOUNDS.of_name(&Action::parse("tasks:view").unwrap()), BOUNDS.read);
    }
}
