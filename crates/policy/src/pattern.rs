//! Says which actions and resources a policy is about.
//!
//! `*` is exactly one segment, `**` zero or more trailing segments, `get*` a part of a segment, a bare `*` anything.
//! `tasks` (the collection) differs from `tasks/*` (each of them); `tasks/**` covers both. A resource pattern may name the
//! subject itself: `${subject.id}` and `${subject.company_id}` each stand for one literal segment. There are no regular
//! expressions, so matching takes linear time and inclusion can be decided.

mod segment;

use std::fmt;
use std::str::FromStr;

use taskman_ids::{CompanyId, UserId};

pub(crate) use self::segment::Segment;
use crate::request::{Action, Malformed, Resource, canonical, check_segment, check_text, is_name};

/// What `${subject.id}` and `${subject.company_id}` stand for in one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitution {
    pub(crate) subject_id: String,
    pub(crate) company_id: String,
}

impl Substitution {
    /// Prepares the substitution for one subject.
    pub fn new(subject: UserId, company: CompanyId) -> Self {
        Self { subject_id: subject.to_string(), company_id: company.to_string() }
    }
}

/// The segments of a pattern, and whether any further ones may follow (`**`, or a bare `*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments {
    pub(crate) items: Vec<Segment>,
    pub(crate) open: bool,
}

impl Segments {
    fn parse(
        text: &str,
        separator: char,
        segment: fn(usize, &str) -> Result<Segment, Malformed>,
    ) -> Result<Self, Malformed> {
        check_text(text)?;
        if text == "*" {
            return Ok(Self { items: Vec::new(), open: true });
        }
        let (closed, open) = match text.strip_suffix("**") {
            Some("") => return Ok(Self { items: Vec::new(), open: true }),
            Some(before) => (before.strip_suffix(separator).ok_or(Malformed::MisplacedRest)?, true),
            None => (text, false),
        };
        let items = closed.split(separator).enumerate().map(|(position, text)| segment(position, text));
        Ok(Self { items: items.collect::<Result<_, _>>()?, open })
    }

    fn matches<'a>(&self, mut segments: impl Iterator<Item = &'a str>, subject: Option<&Substitution>) -> bool {
        for item in &self.items {
            match segments.next() {
                Some(segment) if item.matches(segment, subject) => {}
                _ => return false,
            }
        }
        self.open || segments.next().is_none()
    }

    fn includes(&self, other: &Self) -> bool {
        let enough = other.items.len() >= self.items.len();
        let same_end = self.open || (!other.open && other.items.len() == self.items.len());
        enough && same_end && self.items.iter().zip(&other.items).all(|(wide, narrow)| wide.includes(narrow))
    }
}

/// Which actions: `tasks:view`, `tasks:*`, `tasks:get*`, `tasks:**`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionPattern {
    text: Box<str>,
    segments: Segments,
}

impl ActionPattern {
    /// Parses a pattern of a policy.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let segments = Segments::parse(text, ':', |_, segment| action_segment(segment))?;
        Ok(Self { text: text.into(), segments })
    }

    /// Tells whether the pattern is about `action`.
    pub fn matches(&self, action: &Action) -> bool {
        self.segments.matches(action.segments(), None)
    }

    /// Tells whether whatever `other` matches is matched by this pattern too.
    pub fn includes(&self, other: &Self) -> bool {
        self.segments.includes(&other.segments)
    }

    /// Returns the text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(crate) fn anything() -> Self {
        Self { text: "*".into(), segments: Segments { items: Vec::new(), open: true } }
    }
}

/// Which resources: `tasks`, `tasks/*`, `tasks/**`, `users/${subject.id}`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePattern {
    text: Box<str>,
    segments: Segments,
}

impl ResourcePattern {
    /// Parses a pattern of a policy.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let segments = Segments::parse(text, '/', resource_segment)?;
        Ok(Self { text: text.into(), segments })
    }

    /// Tells whether the pattern is about `resource` when the subject is `subject`.
    pub fn matches(&self, resource: &Resource, subject: &Substitution) -> bool {
        self.segments.matches(resource.segments(), Some(subject))
    }

    /// Tells whether whatever `other` matches, for whichever subject of the company, is matched by this pattern too.
    ///
    /// `users/${subject.id}` is not included in itself: the one who grants it holds their own record, the one who gets it
    /// would hold another. `${subject.company_id}` is the same for both and is included in itself.
    pub fn includes(&self, other: &Self) -> bool {
        self.segments.includes(&other.segments)
    }

    /// Returns the text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(crate) fn anything() -> Self {
        Self { text: "*".into(), segments: Segments { items: Vec::new(), open: true } }
    }
}

fn action_segment(text: &str) -> Result<Segment, Malformed> {
    check_segment(text)?;
    let literal = text.replace('*', "");
    let named = is_name(&literal) || (text.starts_with('*') && is_name(&format!("a{literal}")));
    if !named {
        return Err(Malformed::NotAName(text.to_owned()));
    }
    Segment::glob(text)
}

fn resource_segment(position: usize, text: &str) -> Result<Segment, Malformed> {
    if position == 0 {
        return action_segment(text);
    }
    check_segment(text)?;
    if text.contains(['$', '{', '}']) {
        return Segment::variable(text).ok_or_else(|| Malformed::UnknownVariable(text.to_owned()));
    }
    Segment::glob(&canonical(text))
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ActionPattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ResourcePattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}
