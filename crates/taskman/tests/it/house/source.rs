//! A Rust file, taken apart into code, comments and strings: just enough to tell one from the other.

use std::ops::Range;

/// A Rust file.
pub(crate) struct Source {
    /// Where it is, from the root of the repository.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// The code: as long as `text`, with blanks where comments and the contents of strings are.
    pub(crate) code: String,
    /// Where comments are.
    pub(crate) comments: Vec<Range<usize>>,
    /// Where the contents of strings are.
    pub(crate) strings: Vec<Range<usize>>,
    /// Where `#[cfg(test)]` items are.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Takes a file apart.
    pub(crate) fn new(text: String, path: String) -> Self {
        let (comments, strings) = Scanner { bytes: text.as_bytes(), at: 0 }.scan();
        let mut code = text.clone().into_bytes();
        for range in comments.iter().chain(&strings) {
            code[range.clone()].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        let code = String::from_utf8(code).expect("ranges end between characters");
        let tests = test_items(&code);
        Self { path, text, code, comments, strings, tests }
    }

    /// Returns `path:line` of an offset.
    pub(crate) fn place(&self, offset: usize) -> String {
        let line = 1 + self.text[..offset].bytes().filter(|byte| *byte == b'\n').count();
        format!("{}:{line}", self.path)
    }

    /// Says whether an offset is in a `#[cfg(test)]` item.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    /// Returns where an identifier stands in the code.
    pub(crate) fn uses<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let found = self.code.match_indices(word).map(|(offset, _)| offset);
        found.filter(move |offset| {
            let (before, after) = (&self.code[..*offset], &self.code[offset + word.len()..]);
            !before.ends_with(is_word) && !after.starts_with(is_word)
        })
    }

    /// Returns every identifier of the code and where it stands.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let starts = self.code.char_indices().scan(' ', |before, (offset, c)| {
            let begins = is_word(c) && !is_word(*before);
            *before = c;
            Some((offset, begins))
        });
        starts.filter(|(_, begins)| *begins).map(|(offset, _)| {
            let rest = &self.code[offset..];
            (offset, &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
        })
    }

    /// Returns where the bodies of the functions called `name` are, without those of tests.
    pub(crate) fn bodies(&self, name: &str) -> Vec<Range<usize>> {
        let heads = self.uses(name).filter(|offset| self.code[..*offset].trim_end().ends_with("fn"));
        heads.filter(|offset| !self.is_test(*offset)).filter_map(|offset| block(&self.code, offset)).collect()
    }

    /// Returns the body of the function around an offset.
    pub(crate) fn function_around(&self, offset: usize) -> Option<Range<usize>> {
        let heads = self.uses("fn").filter(|head| *head < offset);
        heads.filter_map(|head| block(&self.code, head)).filter(|body| body.contains(&offset)).last()
    }

    /// Returns the contents of the strings in a range.
    pub(crate) fn strings_in(&self, range: &Range<usize>) -> impl Iterator<Item = (usize, &str)> {
        let inside = self.strings.iter().filter(move |string| range.contains(&string.start));
        inside.map(|string| (string.start, &self.text[string.clone()]))
    }

    /// Returns the text of the `//!` lines at the top.
    pub(crate) fn story(&self) -> String {
        let lines = self.text.lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    }
}

/// Says whether a character may be part of an identifier.
pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Returns the `{…}` that an item has from `offset` on; none where a `;` comes first.
fn block(code: &str, offset: usize) -> Option<Range<usize>> {
    // A `;` inside brackets is that of an array's type.
    let mut brackets = 0_i32;
    let open = code[offset..].char_indices().find_map(|(index, c)| {
        brackets += i32::from(matches!(c, '[' | '(')) - i32::from(matches!(c, ']' | ')'));
        (c == '{' || (c == ';' && brackets == 0)).then_some((offset + index, c == '{'))
    });
    let start = open.and_then(|(start, is_block)| is_block.then_some(start))?;
    let mut depth = 0_i32;
    let length = code[start..].char_indices().find_map(|(index, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (depth == 0).then_some(index + 1)
    })?;
    Some(start..start + length)
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let marks = code.match_indices("#[cfg(test)]").map(|(offset, mark)| offset + mark.len());
    marks.filter_map(|offset| block(code, offset)).collect()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn scan(mut self) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut comments, mut strings) = (Vec::new(), Vec::new());
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"//") {
                let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                comments.push(self.take(length));
            } else if rest.starts_with(b"/*") {
                let length = block_comment(rest);
                comments.push(self.take(length));
            } else if let Some(hashes) = self.raw_string() {
                let end: Vec<u8> = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
                self.at += rest.iter().position(|byte| *byte == b'"').unwrap_or_default() + 1;
                let content = &self.bytes[self.at..];
                let length = content.windows(end.len()).position(|window| window == end).unwrap_or(content.len());
                strings.push(self.take(length));
                self.at += end.len();
            } else if rest[0] == b'"' {
                self.at += 1;
                let length = quoted(&self.bytes[self.at..], b'"');
                strings.push(self.take(length));
                self.at += 1;
            } else if rest[0] == b'\'' {
                self.character();
            } else {
                self.at += 1;
            }
        }
        (comments, strings)
    }

    fn take(&mut self, length: usize) -> Range<usize> {
        let start = self.at;
        self.at += length;
        start..self.at
    }

    /// Returns the number of hashes where a raw string begins.
    fn raw_string(&self) -> Option<usize> {
        let before = self.at.checked_sub(1).map(|index| self.bytes[index]);
        if before.is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = &self.bytes[self.at..];
        let rest = rest.strip_prefix(b"b").or_else(|| rest.strip_prefix(b"c")).unwrap_or(rest);
        let rest = rest.strip_prefix(b"r")?;
        let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
        (rest.get(hashes) == Some(&b'"')).then_some(hashes)
    }

    /// Passes over a character, or over the quote of a lifetime.
    fn character(&mut self) {
        let rest = &self.bytes[self.at + 1..];
        let first = std::str::from_utf8(&rest[..rest.len().min(4)])
            .or_else(|error| std::str::from_utf8(&rest[..error.valid_up_to()]))
            .ok()
            .and_then(|text| text.chars().next())
            .map_or(1, char::len_utf8);
        if rest.first() == Some(&b'\\') {
            self.at += quoted(rest, b'\'') + 2;
        } else if rest.get(first) == Some(&b'\'') {
            self.at += first + 2;
        } else {
            self.at += 1;
        }
    }
}

/// Returns how far it is to the end of a quoted text.
fn quoted(rest: &[u8], end: u8) -> usize {
    let mut at = 0;
    while at < rest.len() && rest[at] != end {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at.min(rest.len())
}

/// Returns the length of a comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < rest.len() && depth > 0 {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let text =
        "let a = 'x'; // one \"two\"\nlet b = r#\"a \"tokio\" b\"#; /* /* tokio */ */ let c: &'a str = \"\\\"x\";";
    let source = Source::new(text.to_owned(), "a.rs".to_owned());
    assert_eq!(source.uses("tokio").count(), 0);
    assert_eq!(source.strings.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>(), ["a \"tokio\" b", "\\\"x"]);
    assert_eq!(source.comments.len(), 2);
    assert_eq!(
        source.words().map(|(_, word)| word).collect::<Vec<_>>(),
        ["let", "a", "x", "let", "b", "r", "let", "c", "a", "str"]
    );
}

#[test]
fn bodies_and_tests_are_found() {
    let text = "fn a(x: [u8; 2]) -> u8 { if true { 1 } else { 2 } }\n#[cfg(test)]\nmod tests { fn a() { \"}\"; } }";
    let source = Source::new(text.to_owned(), "a.rs".to_owned());
    let bodies = source.bodies("a");
    assert_eq!(bodies.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>(), ["{ if true { 1 } else { 2 } }"]);
    assert!(source.is_test(text.len() - 2) && !source.is_test(0));
    assert_eq!(source.place(text.len() - 2), "a.rs:3");
}
