//! The path templates of `google.api.http`, parsed with the column of every fault.
//!
//! ```text
//! Template = "/" Segment { "/" Segment } [ ":" Literal ]
//! Segment  = "*" | "**" | Literal | "{" Field { "." Field } [ "=" Segments ] "}"
//! ```
//!
//! Other transcoders disagree about the edges of this grammar. Here a variable holds no variable, `**` is the last
//! segment, and a literal is written as it is matched: without escapes and without a colon.

use std::fmt;

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text.
    Literal(String),
    /// Any one segment, `*`.
    Single,
    /// All segments that are left, even none, `**`.
    Rest,
}

/// A part of the path that becomes a field of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The field's path in the request message.
    pub field: Vec<String>,
    /// The first segment that it covers.
    pub start: usize,
    /// The segment after the last one that it covers.
    pub end: usize,
    /// The column of its opening brace, from 1.
    pub column: usize,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The segments, with variables dissolved into what they match.
    pub segments: Vec<Segment>,
    /// The custom verb after the colon.
    pub verb: Option<String>,
    /// The variables, in the order they are written.
    pub variables: Vec<Variable>,
}

impl Template {
    /// Says whether a variable can hold more than one segment of a path.
    pub fn is_multi(&self, variable: &Variable) -> bool {
        let covered = self.segments.get(variable.start..variable.end).unwrap_or_default();
        covered.len() > 1 || covered.contains(&Segment::Rest)
    }

    /// Returns the template with every variable replaced by what it matches: two templates of the same shape match the
    /// same paths.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            match segment {
                Segment::Literal(text) => shape.push_str(text),
                Segment::Single => shape.push('*'),
                Segment::Rest => shape.push_str("**"),
            }
        }
        if let Some(verb) = &self.verb {
            shape.push(':');
            shape.push_str(verb);
        }
        shape
    }
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The column of the first character that is wrong, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.what)
    }
}

impl std::error::Error for TemplateError {}

/// Parses a template.
pub fn parse(text: &str) -> Result<Template, TemplateError> {
    Parser { text: text.as_bytes(), at: 0, segments: Vec::new(), variables: Vec::new() }.template()
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

type Parsed<T> = Result<T, TemplateError>;

impl Parser<'_> {
    fn template(mut self) -> Parsed<Template> {
        self.expect(b'/', "a template starts with `/`")?;
        self.segments(false)?;
        let verb = if self.take(b':') { Some(self.verb()?) } else { None };
        if self.at < self.text.len() {
            return self.fail("is not expected here");
        }
        Ok(Template { segments: self.segments, verb, variables: self.variables })
    }

    fn verb(&mut self) -> Parsed<String> {
        match self.literal() {
            Some(verb) => Ok(verb),
            None => self.fail("a verb is missing after `:`"),
        }
    }

    fn segments(&mut self, in_variable: bool) -> Parsed<()> {
        loop {
            let start = self.at;
            if self.segments.last() == Some(&Segment::Rest) {
                return Err(TemplateError { column: start, what: "`**` must be the last segment" });
            }
            self.segment(in_variable)?;
            if !self.take(b'/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, in_variable: bool) -> Parsed<()> {
        match self.peek() {
            Some(b'*') => {
                self.at += 1;
                let segment = if self.take(b'*') { Segment::Rest } else { Segment::Single };
                self.segments.push(segment);
            }
            Some(b'{') if in_variable => return self.fail("a variable must not contain a variable"),
            Some(b'{') => self.variable()?,
            None | Some(b'/' | b':' | b'}') => return self.fail("a segment is empty"),
            Some(_) => match self.literal() {
                Some(text) => self.segments.push(Segment::Literal(text)),
                None => return self.fail("is not allowed in a path segment"),
            },
        }
        match self.peek() {
            None | Some(b'/' | b':') => Ok(()),
            Some(b'}') if in_variable => Ok(()),
            Some(_) => self.fail("a segment is one literal, one wildcard or one variable"),
        }
    }

    fn variable(&mut self) -> Parsed<()> {
        let column = self.at + 1;
        self.at += 1;
        let mut field = vec![self.identifier()?];
        while self.take(b'.') {
            field.push(self.identifier()?);
        }
        if self.variables.iter().any(|other| other.field == field) {
            return Err(TemplateError { column, what: "the variable is bound twice" });
        }
        let start = self.segments.len();
        if self.take(b'=') {
            self.segments(true)?;
        } else {
            self.segments.push(Segment::Single);
        }
        self.expect(b'}', "a variable ends with `}`")?;
        self.variables.push(Variable { field, start, end: self.segments.len(), column });
        Ok(())
    }

    fn identifier(&mut self) -> Parsed<String> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|c| c == b'_' || c.is_ascii_alphabetic() || (self.at > start && c.is_ascii_digit()))
        {
            self.at += 1;
        }
        if self.at == start { self.fail("a field name is missing") } else { Ok(self.slice(start)) }
    }

    fn literal(&mut self) -> Option<String> {
        let start = self.at;
        while self.peek().is_some_and(is_literal) {
            self.at += 1;
        }
        let text = self.slice(start);
        // A path never holds these two: they are refused before routing.
        if text.is_empty() || text == "." || text == ".." {
            self.at = start;
            return None;
        }
        Some(text)
    }

    fn slice(&self, start: usize) -> String {
        self.text.get(start..self.at).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8, what: &'static str) -> Parsed<()> {
        if self.take(wanted) { Ok(()) } else { self.fail(what) }
    }

    fn fail<T>(&self, what: &'static str) -> Parsed<T> {
        Err(TemplateError { column: self.at + 1, what })
    }
}

/// The characters of RFC 3986's `pchar` without the colon, which starts a verb, the star and escapes.
const fn is_literal(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';' | b'=' | b'@'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_becomes_segments_variables_and_a_verb() {
        let cases = [
            ("/api/v1/users", "/api/v1/users", vec![]),
            ("/users/{id}", "/users/*", vec!["id"]),
            ("/users/{id=*}", "/users/*", vec!["id"]),
            ("/users/{user.id}/roles/{role_id}", "/users/*/roles/*", vec!["user.id", "role_id"]),
            ("/{name=projects/*/tasks/*}", "/projects/*/tasks/*", vec!["name"]),
            ("/files/{path=**}", "/files/**", vec!["path"]),
            ("/files/**", "/files/**", vec![]),
            ("/{name=projects/**}:watch", "/projects/**:watch", vec!["name"]),
            ("/tasks/{id}:complete", "/tasks/*:complete", vec!["id"]),
            ("/.well-known/jwks.json", "/.well-known/jwks.json", vec![]),
            ("/*/x", "/*/x", vec![]),
            ("/a@b;c=d", "/a@b;c=d", vec![]),
            ("/{_a1}", "/*", vec!["_a1"]),
        ];
        for (text, shape, variables) in cases {
            let template = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(template.shape(), shape, "{text}");
            let names: Vec<String> = template.variables.iter().map(|v| v.field.join(".")).collect();
            assert_eq!(names, variables, "{text}");
        }
    }

    #[test]
    fn a_wrong_template_is_refused_at_its_column() {
        let cases = [
            ("", 1, "starts with"),
            ("users", 1, "starts with"),
            ("/", 2, "empty"),
            ("//users", 2, "empty"),
            ("/users/", 8, "empty"),
            ("/users//x", 8, "empty"),
            ("/users/{}", 9, "field name"),
            ("/users/{1a}", 9, "field name"),
            ("/users/{id", 11, "ends with"),
            ("/users/{id.}", 12, "field name"),
            ("/users/a{id}", 9, "one literal"),
            ("/users/{id}b", 12, "one literal"),
            ("/users/***", 10, "one literal"),
            ("/users/{id=}", 12, "empty"),
            ("/users/{a={b}}", 11, "contain a variable"),
            ("/users/{id}/{id}", 13, "twice"),
            ("/**/x", 4, "last"),
            ("/{a=**}/x", 8, "last"),
            ("/{a=**}/{b=**}", 8, "last"),
            ("/:verb", 2, "empty"),
            ("/users:", 8, "verb is missing"),
            ("/users:a:b", 9, "not expected"),
            ("/users:a/b", 9, "not expected"),
            ("/us ers", 4, "one literal"),
            ("/%41", 2, "not allowed"),
            ("/..", 2, "not allowed"),
            ("/users}", 7, "one literal"),
            ("/ü", 2, "not allowed"),
        ];
        for (text, column, what) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.column, column, "{text}: {error}");
            assert!(error.what.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn only_variables_of_several_segments_are_multi() {
        for (text, multi) in
            [("/{a}", false), ("/{a=*}", false), ("/{a=x}", false), ("/{a=x/*}", true), ("/{a=**}", true)]
        {
            let template = parse(text).unwrap();
            assert_eq!(template.is_multi(&template.variables[0]), multi, "{text}");
        }
    }
}
