//! Text that people write: valid, normalised, trimmed and bounded.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// The longest description, in bytes of UTF-8.
const MAX_DESCRIPTION: usize = 64 * 1024;

macro_rules! text {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(String);

        impl $name {
            /// Returns the text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }

            /// Wraps a text that was parsed when it was stored.
            pub(crate) const fn stored(text: String) -> Self {
                Self(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

text!(/// The title of a task: 1 to 500 characters.
    Title);
text!(/// The name of a project: 1 to 255 characters.
    Name);
text!(/// What somebody has to say about a project or a task: up to 64 KiB, perhaps nothing.
    Description);

impl Title {
    /// Reads a title; blank means missing.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        line(text, 500, "must have at most 500 characters").map(Self)
    }
}

impl Name {
    /// Reads a name; blank means missing.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        line(text, 255, "must have at most 255 characters").map(Self)
    }
}

impl Description {
    /// Reads a description; blank means that there is none.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = clean(text)?;
        if text.len() > MAX_DESCRIPTION { Err("must have at most 64 KiB") } else { Ok(Self(text)) }
    }
}

fn line(text: &str, longest: usize, too_long: &'static str) -> Result<String, &'static str> {
    let text = clean(text)?;
    if text.is_empty() {
        return Err("is missing");
    }
    if text.chars().count() > longest { Err(too_long) } else { Ok(text) }
}

/// Normalises to NFC and trims. Control characters other than newline and tab are refused rather than dropped: whoever
/// sends one did not mean what others would see.
fn clean(text: &str) -> Result<String, &'static str> {
    let text: String = text.trim().nfc().collect();
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("must not contain control characters other than newline and tab");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!(Title::parse(" \u{a0}Cafe\u{301}\n").unwrap().as_str(), "Caf\u{e9}");
        assert_eq!(Description::parse(" \n ").unwrap().as_str(), "");
    }

    #[test]
    fn blank_is_missing() {
        for blank in ["", "   ", "\n\t", "\u{a0}\u{2003}"] {
            assert_eq!(Title::parse(blank), Err("is missing"), "{blank:?}");
            assert_eq!(Name::parse(blank), Err("is missing"), "{blank:?}");
        }
    }

    #[test]
    fn control_characters_are_refused_but_newline_and_tab() {
        assert!(Title::parse("a\n\tb").is_ok());
        for bad in ["a\0b", "a\rb", "a\u{7}b", "a\u{85}b", "a\u{7f}b"] {
            assert!(Title::parse(bad).is_err(), "{bad:?}");
            assert!(Description::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lengths_count_characters_after_composing() {
        assert!(Title::parse(&"e\u{301}".repeat(500)).is_ok());
        assert!(Title::parse(&"\u{1f600}".repeat(500)).is_ok());
        assert!(Title::parse(&"a".repeat(501)).is_err());
        assert!(Name::parse(&"a".repeat(255)).is_ok());
        assert!(Name::parse(&"a".repeat(256)).is_err());
        assert!(Description::parse(&"a".repeat(MAX_DESCRIPTION)).is_ok());
        assert!(Description::parse(&"a".repeat(MAX_DESCRIPTION + 1)).is_err());
    }

    proptest! {
        #[test]
        fn what_was_parsed_parses_to_itself(text in "\\PC{0,40}") {
            if let Ok(title) = Title::parse(&text) {
                prop_assert_eq!(Title::parse(title.as_str()), Ok(title));
            }
        }
    }
}
