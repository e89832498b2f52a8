//! Holds what a request asks about, parsed: the subject, the action and the resource.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use taskman_ids::UserId;

/// The longest action, resource or pattern, in bytes.
pub const MAX_BYTES: usize = 256;

/// Says what is wrong with an action, a resource, a subject or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is nothing.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`MAX_BYTES`].
    #[error("must not be longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A character outside printable ASCII.
    #[error("must be printable ASCII")]
    NotPrintableAscii,
    /// Two separators in a row, or one at the start or the end.
    #[error("must not have an empty segment")]
    EmptySegment,
    /// `.` or `..` as a segment.
    #[error("must not have `.` or `..` as a segment")]
    DotSegment,
    /// A percent sign, which could hide another character.
    #[error("must not contain `%`")]
    Percent,
    /// A wildcard in a request.
    #[error("must not contain `*`")]
    Wildcard,
    /// An action segment or a resource type of the wrong shape.
    #[error("`{0}` must start with a lower-case letter and go on with a-z, 0-9, `_` and `-`")]
    NotAName(String),
    /// `**` that is not the whole last segment, or more stars in a row.
    #[error("`**` must be the whole last segment")]
    MisplacedRest,
    /// `$`, `{` or `}` in a pattern that do not make a known variable.
    #[error("`{0}` must be a plain segment, `${{subject.id}}` or `${{subject.company_id}}`")]
    UnknownVariable(String),
    /// A subject that is not a user.
    #[error("must be `user:` and a UUID")]
    NotASubject,
}

/// Refuses what no action, resource or pattern may contain.
pub(crate) fn check_text(text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        return Err(Malformed::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(Malformed::TooLong);
    }
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(Malformed::NotPrintableAscii);
    }
    if text.contains('%') {
        return Err(Malformed::Percent);
    }
    Ok(())
}

/// Tells whether `text` is `[a-z][a-z0-9_-]*`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Refuses a segment that stands for nothing or for another place.
pub(crate) fn check_segment(segment: &str) -> Result<(), Malformed> {
    match segment {
        "" => Err(Malformed::EmptySegment),
        "." | ".." => Err(Malformed::DotSegment),
        _ => Ok(()),
    }
}

/// Writes a UUID in lower case, as services do; any other segment stays as it is.
pub(crate) fn canonical(segment: &str) -> Cow<'_, str> {
    if taskman_ids::parse_uuid(segment).is_ok() {
        Cow::Owned(segment.to_ascii_lowercase())
    } else {
        Cow::Borrowed(segment)
    }
}

fn check_request(text: &str, separator: char) -> Result<(), Malformed> {
    check_text(text)?;
    if text.contains('*') {
        return Err(Malformed::Wildcard);
    }
    text.split(separator).try_for_each(check_segment)
}

/// What is to be done: names joined by `:`, such as `tasks:assign`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(Box<str>);

impl Action {
    /// Parses an action of a request.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        check_request(text, ':')?;
        match text.split(':').find(|segment| !is_name(segment)) {
            Some(segment) => Err(Malformed::NotAName(segment.to_owned())),
            None => Ok(Self(text.into())),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names between the colons.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split(':')
    }
}

/// What it is to be done to: `type[/id[/sub…]]`, such as `tasks/018f…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(Box<str>);

impl Resource {
    /// Parses a resource of a request. An id is the same one in either case; it is kept in lower case.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        check_request(text, '/')?;
        let kind = text.split('/').next().unwrap_or_default();
        if !is_name(kind) {
            return Err(Malformed::NotAName(kind.to_owned()));
        }
        if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Ok(Self(text.into()));
        }
        let segments: Vec<Cow<'_, str>> = text.split('/').map(canonical).collect();
        Ok(Self(segments.join("/").into()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the segments between the slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/')
    }

    /// Returns the first segment: the collection, such as `tasks`. Conditions read it as `resource.type`.
    pub fn kind(&self) -> &str {
        self.segments().next().unwrap_or_default()
    }

    /// Returns the second segment; a collection has none.
    pub fn id(&self) -> Option<&str> {
        self.segments().nth(1)
    }
}

/// Who asks: `user:<uuid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(UserId);

impl Subject {
    /// Wraps a user.
    pub const fn user(id: UserId) -> Self {
        Self(id)
    }

    /// Parses the subject of a request.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let id = text.strip_prefix("user:").ok_or(Malformed::NotASubject)?;
        UserId::parse(id).map(Self).map_err(|_| Malformed::NotASubject)
    }

    /// Returns the user.
    pub const fn user_id(&self) -> UserId {
        self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user:{}", self.0)
    }
}

impl FromStr for Subject {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Action {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Resource {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_user_and_nothing_else() {
        let id = UserId::new();
        assert_eq!(Subject::parse(&format!("user:{id}")), Ok(Subject::user(id)));
        assert_eq!(Subject::user(id).to_string().parse(), Ok(Subject::user(id)));
        for bad in ["", "user:", "user:x", "group:1", &id.to_string(), &format!("User:{id}"), &format!("user:{id} ")] {
            assert_eq!(Subject::parse(bad), Err(Malformed::NotASubject), "{bad}");
        }
    }

    #[test]
    fn a_resource_knows_its_type_and_id() {
        let parts =
            |text| Resource::parse(text).map(|parsed| (parsed.kind().to_owned(), parsed.id().map(str::to_owned)));
        assert_eq!(parts("tasks/7/comments/9"), Ok(("tasks".to_owned(), Some("7".to_owned()))));
        assert_eq!(parts("tasks"), Ok(("tasks".to_owned(), None)));
    }

    #[test]
    fn an_id_is_kept_in_lower_case_and_nothing_else_is_changed() {
        let id = UserId::new().to_string();
        let parsed = Resource::parse(&format!("tasks/{}/Files/A-1", id.to_uppercase())).unwrap();
        assert_eq!((parsed.as_str(), parsed.id()), (format!("tasks/{id}/Files/A-1").as_str(), Some(id.as_str())));
    }

    #[test]
    fn a_malformed_request_value_says_what_is_wrong() {
        let action = |text: &str| Action::parse(text).map(|_| ());
        assert_eq!(action(""), Err(Malformed::Empty));
        assert_eq!(action("tasks:*"), Err(Malformed::Wildcard));
        assert_eq!(action("tasks::view"), Err(Malformed::EmptySegment));
        assert_eq!(action("Tasks:view"), Err(Malformed::NotAName("Tasks".to_owned())));
        assert_eq!(action("täsks:view"), Err(Malformed::NotPrintableAscii));
        assert_eq!(action(&"a".repeat(MAX_BYTES)), Ok(()));
        assert_eq!(action(&"a".repeat(MAX_BYTES + 1)), Err(Malformed::TooLong));

        let resource = |text: &str| Resource::parse(text).map(|_| ());
        assert_eq!(resource("tasks/"), Err(Malformed::EmptySegment));
        assert_eq!(resource("/tasks"), Err(Malformed::EmptySegment));
        assert_eq!(resource("tasks/../users"), Err(Malformed::DotSegment));
        assert_eq!(resource("tasks/%2e%2e"), Err(Malformed::Percent));
        assert_eq!(resource("tasks/a\nb"), Err(Malformed::NotPrintableAscii));
        assert_eq!(resource("7/tasks"), Err(Malformed::NotAName("7".to_owned())));
        assert_eq!(resource("tasks/A.b c~1"), Ok(()));
    }
}
