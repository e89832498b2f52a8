//! Finds the policies of one role that may be about a request, without looking at the others.
//!
//! A trie over the segments of resource patterns; at each end, the policies sorted by the first words of their action
//! patterns. What is found is a superset of what matches (`get*`, variables): the caller asks the policy itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::pattern::{ActionPattern, Segment};
use crate::policy::Policy;
use crate::request::{Action, Resource};

/// More than this many pairs of resource pattern and action key of one policy are not spelt out: it is entered for any
/// action instead.
const MAX_PAIRS: usize = 256;

/// The policies of one role.
#[derive(Debug, Default)]
pub(super) struct PolicyIndex {
    policies: Vec<Arc<Policy>>,
    root: Node,
    entries: usize,
}

/// The patterns that begin alike.
#[derive(Debug, Default)]
struct Node {
    /// By a literal next segment.
    literal: HashMap<Box<str>, Node>,
    /// By any other next segment.
    other: Option<Box<Node>>,
    /// Patterns that end here.
    ends: Entries,
    /// Patterns that go on with `**` here.
    open: Entries,
}

/// Policies sorted by action key: a whole action, `tasks:` for every action that begins so, or nothing for any action.
#[derive(Debug, Default)]
struct Entries(Vec<(Box<str>, usize)>);

impl Entries {
    fn with_key(&self, key: &str) -> impl Iterator<Item = usize> {
        let start = self.0.partition_point(|(known, _)| **known < *key);
        self.0[start..].iter().take_while(move |(known, _)| **known == *key).map(|(_, policy)| *policy)
    }
}

impl PolicyIndex {
    /// Enters each policy once.
    pub(super) fn build(policies: impl Iterator<Item = Arc<Policy>>) -> Self {
        let mut index = Self::default();
        let mut entered = BTreeSet::new();
        for policy in policies.filter(|policy| entered.insert(policy.id)) {
            let number = index.policies.len();
            let mut keys: BTreeSet<Box<str>> = policy.actions.iter().map(action_key).collect();
            if keys.contains("") || keys.len() * policy.resources.len() > MAX_PAIRS {
                keys = BTreeSet::from(["".into()]);
            }
            for pattern in &policy.resources {
                let entries = index.root.entries_for(&pattern.segments().items, pattern.segments().open);
                entries.0.extend(keys.iter().map(|key| (key.clone(), number)));
                index.entries += keys.len();
            }
            index.policies.push(policy);
        }
        index.root.sort();
        index
    }

    /// Hands every policy that may be about the request to `found`; the same one perhaps more than once.
    pub(super) fn find<'a>(&'a self, action: &Action, resource: &Resource, found: &mut impl FnMut(&'a Policy)) {
        let segments: Vec<&str> = resource.segments().collect();
        let keys = [action.as_str(), first_word(action), ""];
        let mut numbers = Vec::new();
        self.root.visit(&segments, &mut |entries| numbers.extend(keys.iter().flat_map(|key| entries.with_key(key))));
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            found(&self.policies[number]);
        }
    }

    /// Returns every policy of the role.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter()
    }

    /// Estimates the memory that the index takes, the policies not counted.
    pub(super) const fn approximate_bytes(&self) -> usize {
        self.policies.len() * size_of::<Arc<Policy>>() + self.entries * 192
    }
}

impl Node {
    fn entries_for(&mut self, segments: &[Segment], open: bool) -> &mut Entries {
        match segments {
            [] if open => &mut self.open,
            [] => &mut self.ends,
            [Segment::Literal(text), rest @ ..] => {
                self.literal.entry(text.clone()).or_default().entries_for(rest, open)
            }
            [_, rest @ ..] => self.other.get_or_insert_default().entries_for(rest, open),
        }
    }

    fn visit(&self, segments: &[&str], found: &mut impl FnMut(&Entries)) {
        found(&self.open);
        match segments {
            [] => found(&self.ends),
            [segment, rest @ ..] => {
                if let Some(next) = self.literal.get(*segment) {
                    next.visit(rest, found);
                }
                if let Some(next) = &self.other {
                    next.visit(rest, found);
                }
            }
        }
    }

    fn sort(&mut self) {
        self.ends.0.sort_unstable();
        self.open.0.sort_unstable();
        self.literal.values_mut().for_each(Self::sort);
        if let Some(next) = &mut self.other {
            next.sort();
        }
    }
}

/// Returns the part of `tasks:view` that ends with the first colon.
fn first_word(action: &Action) -> &str {
    let text = action.as_str();
    text.find(':').map_or(text, |colon| &text[..=colon])
}

fn action_key(pattern: &ActionPattern) -> Box<str> {
    let segments = pattern.segments();
    let literal = !segments.open && segments.items.iter().all(|segment| matches!(segment, Segment::Literal(_)));
    match segments.items.as_slice() {
        _ if literal => pattern.as_str().into(),
        // `tasks:**` is about the action `tasks` too, whose first word has no colon.
        [Segment::Literal(first), _, ..] => format!("{first}:").into(),
        _ => "".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use taskman_ids::PolicyId;

    use super::*;
    use crate::policy::{Effect, PolicySource, Status};

    fn index(patterns: impl IntoIterator<Item = (String, String)>) -> PolicyIndex {
        let source = |(action, resource)| PolicySource {
            id: PolicyId::new(),
            name: "one of many".to_owned(),
            effect: Effect::Allow,
            actions: vec![action],
            resources: vec![resource],
            condition: None,
            status: Status::Active,
            version: 1,
        };
        let compiled = Policy::compile_all(patterns.into_iter().map(source).collect()).unwrap();
        PolicyIndex::build(compiled.into_iter().map(|(policy, _)| Arc::new(policy)))
    }

    fn found(index: &PolicyIndex, action: &str, resource: &str) -> usize {
        let mut count = 0;
        index.find(&Action::parse(action).unwrap(), &Resource::parse(resource).unwrap(), &mut |_| count += 1);
        count
    }

    #[test]
    fn a_request_meets_as_few_policies_among_forty_thousand_as_among_eight_hundred() {
        let company = |size: usize| {
            index((0..size).map(|number| match number % 4 {
                0 => ("tasks:view".to_owned(), format!("projects/{number}/**")),
                1 => (format!("a{number}:view"), "tasks/**".to_owned()),
                2 => (format!("a{number}:*"), format!("t{number}/*")),
                _ => ("tasks:*".to_owned(), format!("*/{number}")),
            }))
        };
        let (small, large) = (company(800), company(40_000));
        for (action, resource) in [("tasks:view", "projects/4/x"), ("a5:view", "tasks/9"), ("tasks:edit", "tasks/7")] {
            assert_eq!(found(&small, action, resource), 1, "{action} {resource}");
            assert_eq!(found(&large, action, resource), 1, "{action} {resource}");
        }
    }

    #[test]
    fn whatever_a_policy_matches_is_found() {
        let actions = ["tasks:view", "tasks:*", "tasks:**", "tasks", "*:view", "t*:view", "*", "tasks:v*", "**"];
        let resources = ["tasks", "tasks/1", "tasks/*", "tasks/**", "*/1", "*", "t*/1", "tasks/1/**", "tasks/*/x"];
        let subject = crate::pattern::Substitution::new(taskman_ids::UserId::new(), taskman_ids::CompanyId::new());
        let pairs = || actions.iter().flat_map(|action| resources.iter().map(move |resource| (*action, *resource)));
        let index = index(pairs().map(|(action, resource)| (action.to_owned(), resource.to_owned())));
        for action in ["tasks:view", "tasks:edit", "tasks", "projects:view", "tasks:view:all"] {
            for resource in ["tasks", "tasks/1", "tasks/2", "tasks/1/x", "projects/1"] {
                let (action, resource) = (Action::parse(action).unwrap(), Resource::parse(resource).unwrap());
                let mut matching = BTreeSet::new();
                index.find(&action, &resource, &mut |policy| {
                    if policy.matches(&action, &resource, &subject) {
                        matching.insert(policy.id);
                    }
                });
                let all = index.policies().filter(|policy| policy.matches(&action, &resource, &subject));
                assert_eq!(matching, all.map(|policy| policy.id).collect(), "{action} {resource}");
            }
        }
    }
}
