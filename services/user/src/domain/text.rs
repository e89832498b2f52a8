//! Text as people may write it (api.md 7): NFC, trimmed, without control characters, counted in Unicode scalar values.

use unicode_normalization::UnicodeNormalization as _;

/// Says what is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextInvalid {
    /// Nothing is there, or only blanks.
    #[error("is missing")]
    Missing,
    /// There are more characters than allowed.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A character is not allowed.
    #[error("must not contain control characters")]
    Control,
    /// The text has not the required form.
    #[error("must {0}")]
    Form(&'static str),
}

/// Reads one line that may be empty, of at most `max` characters.
pub fn optional(text: &str, max: usize) -> Result<String, TextInvalid> {
    let text: String = text.trim().nfc().collect();
    if text.chars().any(char::is_control) {
        return Err(TextInvalid::Control);
    }
    if text.chars().count() > max {
        return Err(TextInvalid::TooLong(max));
    }
    Ok(text)
}

/// Reads one line of 1 to `max` characters.
pub fn required(text: &str, max: usize) -> Result<String, TextInvalid> {
    let text = optional(text, max)?;
    if text.is_empty() { Err(TextInvalid::Missing) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_text_do_not_count() {
        assert_eq!(required("  a b ", 3), Ok("a b".to_owned()));
        assert_eq!(required(" \t ", 3), Err(TextInvalid::Missing));
    }

    #[test]
    fn characters_are_counted_after_composition() {
        assert_eq!(required("e\u{301}", 1), Ok("\u{e9}".to_owned()));
        assert_eq!(required("ab", 1), Err(TextInvalid::TooLong(1)));
    }

    #[test]
    fn control_characters_are_refused() {
        for bad in ["a\0b", "a\nb", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(required(bad, 9), Err(TextInvalid::Control), "{bad:?}");
        }
    }
}
