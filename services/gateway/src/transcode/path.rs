//! Splits and decodes a request path before it is routed, and refuses what two readers could read differently.

use percent_encoding::{percent_decode, percent_decode_str};

/// The most segments that a path may have; the longest template is far below.
const MAX_SEGMENTS: usize = 64;

/// Says why a path is refused, before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// `%` without two hexadecimal digits.
    #[error("the path holds a `%` that starts no escape")]
    Escape,
    /// Decodes to something that is not UTF-8, such as an overlong form.
    #[error("the path is not valid UTF-8")]
    NotUtf8,
    /// A NUL or another control character.
    #[error("the path holds a control character")]
    Control,
    /// `.`, `..` or nothing between two slashes.
    #[error("the path holds an empty segment or a dot segment")]
    DotSegment,
    /// More segments than any route has.
    #[error("the path has too many segments")]
    TooLong,
}

/// One segment of a path, as it was sent and as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSegment<'p> {
    /// With its escapes.
    pub raw: &'p str,
    /// Without.
    pub text: String,
}

/// Splits a path into segments. A slash at the end gives an empty last segment, which no route matches.
pub fn split(path: &str) -> Result<Vec<PathSegment<'_>>, BadPath> {
    let Some(rest) = path.strip_prefix('/') else { return Err(BadPath::DotSegment) };
    let count = rest.split('/').count();
    if count > MAX_SEGMENTS {
        return Err(BadPath::TooLong);
    }
    rest.split('/').enumerate().map(|(index, raw)| segment(raw, index + 1 == count)).collect()
}

fn segment(raw: &str, last: bool) -> Result<PathSegment<'_>, BadPath> {
    let text = decode(raw)?;
    if text.chars().any(char::is_control) {
        return Err(BadPath::Control);
    }
    if text == "." || text == ".." || (text.is_empty() && !last) {
        return Err(BadPath::DotSegment);
    }
    // A variable may decode to a slash (`%2F`); a dot segment must not hide behind one.
    if text.contains('/') && text.split('/').any(|part| part == "." || part == "..") {
        return Err(BadPath::DotSegment);
    }
    Ok(PathSegment { raw, text })
}

/// Decodes every escape of one segment; `+` stays a plus.
fn decode(raw: &str) -> Result<String, BadPath> {
    check_escapes(raw)?;
    percent_decode_str(raw).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| BadPath::NotUtf8)
}

/// Refuses a `%` that is not followed by two hexadecimal digits.
pub fn check_escapes(raw: &str) -> Result<(), BadPath> {
    let bytes = raw.as_bytes();
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in starts {
        let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(BadPath::Escape);
        }
    }
    Ok(())
}

/// Decodes a segment of a variable that covers several: escapes of reserved characters (RFC 6570) stay, so that an
/// escaped slash does not become a border between segments.
pub fn decode_unreserved(raw: &str) -> String {
    const RESERVED: &[u8] = b":/?#[]@!$&'()*+,;=";
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at..at + 3).filter(|_| byte == b'%');
        let decoded = escape.and_then(|escape| percent_decode(escape).next());
        match (decoded, escape) {
            (Some(decoded), _) if !RESERVED.contains(&decoded) => out.push(decoded),
            (_, Some(escape)) => out.extend_from_slice(escape),
            _ => out.push(byte),
        }
        at += escape.map_or(1, <[u8]>::len);
    }
    // `split` has proved that the whole decodes to UTF-8; leaving ASCII escapes in place keeps it so.
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_plus_is_literal() {
        let cases = [
            ("/users/me", vec!["users", "me"]),
            ("/a%2Fb/c", vec!["a/b", "c"]),
            ("/a+b", vec!["a+b"]),
            ("/%C3%BC", vec!["ü"]),
            ("/ü", vec!["ü"]),
            ("/users/", vec!["users", ""]),
            ("/", vec![""]),
            ("/a:b", vec!["a:b"]),
            ("/...", vec!["..."]),
        ];
        for (path, wanted) in cases {
            let texts: Vec<String> = split(path).unwrap().into_iter().map(|s| s.text).collect();
            assert_eq!(texts, wanted, "{path}");
        }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        let cases = [
            ("/a//b", BadPath::DotSegment),
            ("//", BadPath::DotSegment),
            ("/./a", BadPath::DotSegment),
            ("/a/..", BadPath::DotSegment),
            ("/a/%2e%2E/b", BadPath::DotSegment),
            ("/a/%2e%2e%2fb", BadPath::DotSegment),
            ("", BadPath::DotSegment),
            ("*", BadPath::DotSegment),
            ("/a%", BadPath::Escape),
            ("/a%2", BadPath::Escape),
            ("/a%zz", BadPath::Escape),
            ("/%00", BadPath::Control),
            ("/a%0Ab", BadPath::Control),
            ("/%C0%AF", BadPath::NotUtf8),
            ("/%C0%AE%C0%AE", BadPath::NotUtf8),
            ("/%FF", BadPath::NotUtf8),
        ];
        for (path, wanted) in cases {
            assert_eq!(split(path), Err(wanted), "{path}");
        }
        assert_eq!(split(&"/a".repeat(65)), Err(BadPath::TooLong));
    }

    #[test]
    fn reserved_escapes_stay_in_variables_of_several_segments() {
        for (raw, wanted) in [("a%2Fb", "a%2Fb"), ("a%20b", "a b"), ("%C3%BC%3A", "ü%3A"), ("a%25b", "a%b"), ("x", "x")]
        {
            assert_eq!(decode_unreserved(raw), wanted);
        }
    }
}
