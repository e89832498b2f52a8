//! Matches one segment of a pattern against one segment of a request.

use super::Substitution;
use crate::request::Malformed;

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `*`: whatever one segment.
    Any,
    /// Exactly this text.
    Literal(Box<str>),
    /// The texts around the stars of `get*`, `*-draft`, `a*b*c`; at least two.
    Glob(Box<[Box<str>]>),
    /// `${subject.id}`.
    SubjectId,
    /// `${subject.company_id}`.
    CompanyId,
}

impl Segment {
    /// Parses a segment with or without stars.
    pub(super) fn glob(text: &str) -> Result<Self, Malformed> {
        if text.contains("**") {
            return Err(Malformed::MisplacedRest);
        }
        Ok(match text {
            "*" => Self::Any,
            _ if text.contains('*') => Self::Glob(text.split('*').map(Box::from).collect()),
            _ => Self::Literal(text.into()),
        })
    }

    /// Parses a variable.
    pub(super) fn variable(text: &str) -> Option<Self> {
        match text {
            "${subject.id}" => Some(Self::SubjectId),
            "${subject.company_id}" => Some(Self::CompanyId),
            _ => None,
        }
    }

    /// Tells whether this segment of a pattern matches `text` of a request.
    pub(crate) fn matches(&self, text: &str, subject: Option<&Substitution>) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => **literal == *text,
            Self::Glob(parts) => glob_matches(parts, text),
            Self::SubjectId => subject.is_some_and(|subject| subject.subject_id == text),
            Self::CompanyId => subject.is_some_and(|subject| subject.company_id == text),
        }
    }

    /// Tells whether whatever `other` matches is matched by this segment too.
    pub(super) fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (Self::CompanyId, Self::CompanyId) => true,
            (Self::Literal(wide), Self::Literal(narrow)) => wide == narrow,
            (Self::Glob(wide), Self::Literal(narrow)) => glob_matches(wide, narrow),
            // A star of the narrow one can be any text, so only a star of the wide one may cover it. `*` stands for such a
            // text here: it occurs in no literal part, so nothing but a star matches it.
            (Self::Glob(wide), Self::Glob(narrow)) => glob_matches(wide, &narrow.join("*")),
            _ => false,
        }
    }
}

/// Matches greedily from the left; the last part must end the text.
fn glob_matches(parts: &[Box<str>], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(&**first) else {
        return false;
    };
    for part in middle {
        match rest.find(&**part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(&**last)
}
