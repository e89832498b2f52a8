//! Versions as entity tags: `ETag`, `If-Match`, `If-None-Match` (RFC 9110, section 13).

use http::{HeaderMap, HeaderValue, header};

/// What a client wants the present version to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any, as long as the record exists.
    Any,
    /// One of these; empty when the client only named tags that none of our versions has.
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// Says whether a version is one that the client wants.
    pub fn accepts(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// Writes the tag of a version.
pub fn etag(version: i64) -> HeaderValue {
    // Digits and quotes are always a legal value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Reads `If-Match`; weak tags never match there, and foreign ones match nothing.
pub fn if_match(headers: &HeaderMap) -> Option<IfMatch> {
    let tags = tags(headers, &header::IF_MATCH)?;
    if tags.iter().any(|tag| tag == "*") {
        return Some(IfMatch::Any);
    }
    Some(IfMatch::OneOf(tags.iter().filter_map(|tag| version(tag)).collect()))
}

/// Says whether `If-None-Match` names this version, so that the client has it already; here weak tags match, too.
pub fn is_known(headers: &HeaderMap, present: i64) -> bool {
    let tags = tags(headers, &header::IF_NONE_MATCH).unwrap_or_default();
    tags.iter().any(|tag| tag == "*" || version(tag.strip_prefix("W/").unwrap_or(tag)) == Some(present))
}

fn tags(headers: &HeaderMap, name: &header::HeaderName) -> Option<Vec<String>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    // Our tags hold no commas, so a foreign tag that does is cut into pieces that match nothing.
    let texts = values.filter_map(|value| value.to_str().ok());
    Some(texts.flat_map(|text| text.split(',')).map(|tag| tag.trim().to_owned()).collect())
}

fn version(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    // Versions begin at 1: services read 0 as any.
    let plain = digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn if_match_compares_strongly() {
        let cases: [(&[&str], Option<IfMatch>); 11] = [
            (&[], None),
            (&["\"3\""], Some(IfMatch::OneOf(vec![3]))),
            (&["*"], Some(IfMatch::Any)),
            (&["\"3\", \"4\""], Some(IfMatch::OneOf(vec![3, 4]))),
            (&["\"3\"", "\"4\""], Some(IfMatch::OneOf(vec![3, 4]))),
            (&["W/\"3\""], Some(IfMatch::OneOf(vec![]))),
            (&["\"abc\""], Some(IfMatch::OneOf(vec![]))),
            (&["3"], Some(IfMatch::OneOf(vec![]))),
            (&["\"03\""], Some(IfMatch::OneOf(vec![]))),
            (&["\"0\""], Some(IfMatch::OneOf(vec![]))),
            (&["\"\""], Some(IfMatch::OneOf(vec![]))),
        ];
        for (values, wanted) in cases {
            assert_eq!(if_match(&headers("if-match", values)), wanted, "{values:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (value, known) in
            [("\"3\"", true), ("W/\"3\"", true), ("*", true), ("\"2\", \"3\"", true), ("\"2\"", false), ("3", false)]
        {
            assert_eq!(is_known(&headers("if-none-match", &[value]), 3), known, "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), 3));
        assert_eq!(etag(3), "\"3\"");
    }
}
