//! Blanks out what must never leave the process in a log line or a span.

use std::borrow::Cow;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// A text longer than this is cut: logs are lines, not documents.
const LONGEST: usize = 4_096;

/// The words that make the value of a field secret when its name contains one of them.
const SECRET_WORDS: [&str; 19] = [
    "address",
    "apikey",
    "authorization",
    "body",
    "cookie",
    "credential",
    "credentials",
    "email",
    "ip",
    "jwt",
    "otp",
    "passphrase",
    "password",
    "payload",
    "secret",
    "secrets",
    "signature",
    "token",
    "tokens",
];

/// Says whether a field of this name is never shown; names are compared word by word.
pub(crate) fn is_secret(name: &str) -> bool {
    let mut previous = String::new();
    for word in name.split(['.', '_', '-']).map(str::to_ascii_lowercase) {
        let key = word == "key" && matches!(previous.as_str(), "api" | "private" | "signing");
        if key || SECRET_WORDS.contains(&word.as_str()) {
            return true;
        }
        previous = word;
    }
    false
}

/// Blanks out tokens, passwords in URLs and e-mail addresses in a text and cuts it to a bearable length.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let text = shorten(text);
    let suspicious = ["@", "eyJ", "earer", "EARER"].iter().any(|sign| text.contains(sign));
    if suspicious { Cow::Owned(blank(&text)) } else { text }
}

fn blank(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut bearer = false;
    for piece in text.split_inclusive(is_delimiter) {
        let word = piece.trim_end_matches(is_delimiter);
        if word.is_empty() {
            clean.push_str(piece);
            continue;
        }
        match word.split_once("://") {
            _ if bearer || is_token(word) => clean.push_str(REDACTED),
            Some((scheme, rest)) => match rest.rsplit_once('@') {
                Some((_, host)) => clean.extend([scheme, "://", REDACTED, "@", host]),
                None => clean.push_str(word),
            },
            None if is_email(word) => clean.push_str(REDACTED),
            None => clean.push_str(word),
        }
        clean.push_str(&piece[word.len()..]);
        bearer = word.eq_ignore_ascii_case("bearer");
    }
    clean
}

fn shorten(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(LONGEST)]))
}

fn is_delimiter(letter: char) -> bool {
    letter.is_whitespace() || "\"'`,;()<>[]{}=|".contains(letter)
}

/// A JSON web token, whole or cut off: it begins with the encoding of `{"`.
fn is_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.contains('.')
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_promise_a_secret_are_recognised_word_by_word() {
        for name in ["password", "refresh_token", "http.request.body", "client.address", "API-KEY", "user.email", "ip"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["task.id", "breaker.peer", "key", "routing.key", "attempt", "relationship", "zip", "description"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secrets_within_a_text_are_blanked_out() {
        for (dirty, clean) in [
            ("mail to <ada@example.com> bounced", "mail to <[redacted]> bounced"),
            ("amqp://task:pa55@127.0.0.1:5672/dev refused", "amqp://[redacted]@127.0.0.1:5672/dev refused"),
            ("url=postgres://u:p@h@db/x", "url=postgres://[redacted]@db/x"),
            ("got eyJhbGciOiJFUzI1NiJ9.eyJzdWIi.c2ln, no", "got [redacted], no"),
            ("authorization: Bearer abc.def", "authorization: Bearer [redacted]"),
        ] {
            assert_eq!(text(dirty), clean);
        }
    }

    #[test]
    fn ordinary_text_is_not_touched_or_copied() {
        for plain in ["task created", "GET /api/v1/tasks?page=2", "größer als 5", ""] {
            assert!(matches!(text(plain), Cow::Borrowed(same) if same == plain));
        }
        assert_eq!(text("3 @ 4, @home"), "3 @ 4, @home");
    }

    #[test]
    fn an_endless_text_is_cut_between_letters() {
        let cut = text(&"ß".repeat(LONGEST)).into_owned();
        assert!(cut.len() <= LONGEST + '…'.len_utf8());
        assert!(cut.ends_with("ß…"));
    }
}
