//! A policy: who may (or may not) is said by the roles it is attached to, what is said here.

use std::fmt;
use std::str::FromStr;

use taskman_ids::PolicyId;

use crate::condition::limits::{BigStack, on_big_stack};
use crate::condition::{Condition, ConditionError};
use crate::pattern::{ActionPattern, ResourcePattern, Substitution};
use crate::request::{Action, Malformed, Resource};

/// The most action patterns, and the most resource patterns, of a policy.
pub const MAX_PATTERNS: usize = 50;
/// The longest name of a policy, in characters.
pub const MAX_NAME: usize = 255;

/// Whether a policy grants or refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Grants, unless some policy refuses.
    Allow,
    /// Refuses, whatever others grant.
    Deny,
}

impl Effect {
    /// Returns the short name: `allow`, `deny`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Where a policy is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Being written; takes no part.
    Draft,
    /// Evaluated only to see what it would change.
    Shadow,
    /// In force.
    Active,
    /// Switched off; takes no part.
    Disabled,
}

impl Status {
    /// Returns the short name: `draft`, `shadow`, `active`, `disabled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// Says that a text names no [`Effect`] or no [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;

impl FromStr for Effect {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Allow, Self::Deny].into_iter().find(|effect| effect.as_str() == text).ok_or(UnknownName)
    }
}

impl FromStr for Status {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = [Self::Draft, Self::Shadow, Self::Active, Self::Disabled];
        all.into_iter().find(|status| status.as_str() == text).ok_or(UnknownName)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A policy as it is stored and sent: texts that may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The policy.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// Whether it grants or refuses.
    pub effect: Effect,
    /// Which actions.
    pub actions: Vec<String>,
    /// Which resources.
    pub resources: Vec<String>,
    /// What must hold as well.
    pub condition: Option<String>,
    /// Where it is in its life.
    pub status: Status,
    /// Counts its changes.
    pub version: i32,
}

/// Says what is wrong with one field of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct PolicyProblem {
    /// The field: `name`, `actions`, `actions[3]`, `resources[0]`, `condition`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
    /// The line in the condition, from 1; 0 for other fields.
    pub line: u32,
    /// The column in the condition, from 1; 0 for other fields.
    pub column: u32,
}

impl PolicyProblem {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), line: 0, column: 0 }
    }
}

impl From<ConditionError> for PolicyProblem {
    fn from(error: ConditionError) -> Self {
        Self { field: "condition".to_owned(), message: error.message, line: error.line, column: error.column }
    }
}

/// A compiled policy.
#[derive(Debug)]
pub struct Policy {
    /// The policy.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// Whether it grants or refuses.
    pub effect: Effect,
    /// Which actions.
    pub actions: Vec<ActionPattern>,
    /// Which resources.
    pub resources: Vec<ResourcePattern>,
    /// What must hold as well.
    pub condition: Option<Condition>,
    /// Where it is in its life.
    pub status: Status,
    /// Counts its changes.
    pub version: i32,
}

impl Policy {
    /// Compiles a policy before it is saved; collects every problem.
    pub fn compile(source: PolicySource) -> Result<Self, Vec<PolicyProblem>> {
        let (policy, problems) = on_big_stack(|stack| Self::load(source, stack)).map_err(|_| vec![no_compiler()])?;
        if problems.is_empty() { Ok(policy) } else { Err(problems) }
    }

    /// Compiles stored policies, each into one that is safe to decide with, and returns what is wrong with them.
    ///
    /// A stored policy was compiled when it was written, but perhaps by another version of this code. What does not compile
    /// any more fails closed: a wrong condition always fails (which refuses where the policy refuses, and does not grant
    /// where it grants), a wrong pattern of a refusing policy matches anything, and of a granting one nothing. When the
    /// compiler cannot be started nothing is returned, for then nothing is known about any of them.
    pub fn compile_all(sources: Vec<PolicySource>) -> Option<Vec<(Self, Vec<PolicyProblem>)>> {
        on_big_stack(|stack| sources.into_iter().map(|source| Self::load(source, stack)).collect()).ok()
    }

    fn load(source: PolicySource, stack: &BigStack) -> (Self, Vec<PolicyProblem>) {
        let mut problems = Vec::new();
        let length = source.name.chars().count();
        if source.name.trim().is_empty() || length > MAX_NAME {
            problems.push(PolicyProblem::new("name", format!("must be 1 to {MAX_NAME} characters")));
        }
        let deny = source.effect == Effect::Deny;
        let actions = patterns("actions", &source.actions, ActionPattern::parse, &mut problems);
        let resources = patterns("resources", &source.resources, ResourcePattern::parse, &mut problems);
        let condition = source.condition.map(|text| {
            Condition::compile_on(&text, stack).unwrap_or_else(|error| {
                problems.push(error.clone().into());
                Condition::failing(&text, error)
            })
        });
        let policy = Self {
            id: source.id,
            name: source.name,
            effect: source.effect,
            actions: actions
                .into_iter()
                .filter_map(|parsed| parsed.or_else(|| deny.then(ActionPattern::anything)))
                .collect(),
            resources: resources
                .into_iter()
                .filter_map(|parsed| parsed.or_else(|| deny.then(ResourcePattern::anything)))
                .collect(),
            condition,
            status: source.status,
            version: source.version,
        };
        (policy, problems)
    }

    /// Tells whether the policy is about this action on this resource; its condition is another matter.
    pub fn matches(&self, action: &Action, resource: &Resource, subject: &Substitution) -> bool {
        self.actions.iter().any(|pattern| pattern.matches(action))
            && self.resources.iter().any(|pattern| pattern.matches(resource, subject))
    }

    /// Tells whether this policy grants whatever `actions` × `resources` grants, to anybody and always: the check against
    /// granting more than one has. One policy must include a whole pair; several are not added up.
    pub fn grants(&self, action: &ActionPattern, resource: &ResourcePattern) -> bool {
        self.status == Status::Active
            && self.effect == Effect::Allow
            && self.condition.is_none()
            && self.actions.iter().any(|pattern| pattern.includes(action))
            && self.resources.iter().any(|pattern| pattern.includes(resource))
    }

    /// Estimates the memory that the policy takes, for the bound on snapshots kept.
    pub fn approximate_bytes(&self) -> usize {
        let texts: usize = self.actions.iter().map(|pattern| pattern.as_str().len()).sum::<usize>()
            + self.resources.iter().map(|pattern| pattern.as_str().len()).sum::<usize>();
        let patterns = (self.actions.len() + self.resources.len()) * 160;
        // A node takes about a hundred bytes and is written in four or more.
        let condition = self.condition.as_ref().map_or(0, |condition| condition.source().len() * 32);
        size_of::<Self>() + self.name.len() + 2 * texts + patterns + condition
    }
}

/// Parses patterns; nothing stands for each that is wrong.
fn patterns<T>(
    field: &str,
    texts: &[String],
    parse: fn(&str) -> Result<T, Malformed>,
    problems: &mut Vec<PolicyProblem>,
) -> Vec<Option<T>> {
    if texts.is_empty() || texts.len() > MAX_PATTERNS {
        problems.push(PolicyProblem::new(field, format!("must be 1 to {MAX_PATTERNS} patterns")));
    }
    let parsed = texts.iter().enumerate().map(|(position, text)| {
        parse(text)
            .map_err(|wrong| problems.push(PolicyProblem::new(format!("{field}[{position}]"), wrong.to_string())))
            .ok()
    });
    parsed.collect()
}

fn no_compiler() -> PolicyProblem {
    PolicyProblem::new("condition", "cannot be compiled now")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn source() -> PolicySource {
        PolicySource {
            id: PolicyId::new(),
            name: "Engineers".to_owned(),
            effect: Effect::Allow,
            actions: vec!["tasks:view".to_owned()],
            resources: vec!["tasks/**".to_owned()],
            condition: None,
            status: Status::Active,
            version: 1,
        }
    }

    #[test]
    fn every_problem_is_collected() {
        let wrong = PolicySource {
            name: " ".to_owned(),
            actions: vec!["tasks:view".to_owned(), "Tasks".to_owned(), "a:**:b".to_owned()],
            resources: Vec::new(),
            condition: Some("true &&\n  resource.ownr == 'x'".to_owned()),
            ..source()
        };
        let problems = Policy::compile(wrong).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["name", "actions[1]", "actions[2]", "resources", "condition"]);
        assert_eq!((problems[4].line, problems[4].column), (2, 11));
        assert!(problems[4].message.contains("resource.ownr"), "{}", problems[4].message);
    }

    #[test]
    fn a_policy_has_one_to_fifty_patterns_of_each_kind() {
        let with =
            |count: usize| Policy::compile(PolicySource { actions: vec!["tasks:view".to_owned(); count], ..source() });
        assert!(with(0).is_err() && with(51).is_err());
        assert_eq!(with(50).unwrap().actions.len(), 50);
    }

    #[test]
    fn a_stored_policy_that_does_not_compile_any_more_fails_closed() {
        let broken = |effect| PolicySource {
            effect,
            actions: vec!["tasks:VIEW".to_owned()],
            condition: Some("subject.gone == 1".to_owned()),
            ..source()
        };
        let loaded = Policy::compile_all(vec![broken(Effect::Allow), broken(Effect::Deny), source()]).unwrap();
        let [(allow, wrong), (deny, also_wrong), (fine, none)] = loaded.as_slice() else { unreachable!() };
        assert_eq!((wrong.len(), also_wrong.len(), none.len()), (2, 2, 0));
        let action = Action::parse("projects:view").unwrap();
        let resource = Resource::parse("tasks/1").unwrap();
        let subject = Substitution::new(taskman_ids::UserId::new(), taskman_ids::CompanyId::new());
        assert!(!allow.matches(&action, &resource, &subject));
        assert!(deny.matches(&action, &resource, &subject));
        assert!(deny.condition.is_some());
        assert!(fine.matches(&Action::parse("tasks:view").unwrap(), &resource, &subject));
    }

    #[test]
    fn only_an_unconditional_active_allow_lets_its_holder_grant() {
        let granted = (ActionPattern::parse("tasks:view").unwrap(), ResourcePattern::parse("tasks/*").unwrap());
        let grants = |source| Policy::compile(source).unwrap().grants(&granted.0, &granted.1);
        assert!(grants(source()));
        assert!(!grants(PolicySource { effect: Effect::Deny, ..source() }));
        assert!(!grants(PolicySource { status: Status::Shadow, ..source() }));
        assert!(!grants(PolicySource { condition: Some("true".to_owned()), ..source() }));
        assert!(!grants(PolicySource { resources: vec!["tasks/1".to_owned()], ..source() }));
    }

    #[test]
    fn names_of_effects_and_states_are_read_back() {
        for effect in [Effect::Allow, Effect::Deny] {
            assert_eq!(effect.to_string().parse(), Ok(effect));
        }
        for status in [Status::Draft, Status::Shadow, Status::Active, Status::Disabled] {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert_eq!("ALLOW".parse::<Effect>(), Err(UnknownName));
    }
}
