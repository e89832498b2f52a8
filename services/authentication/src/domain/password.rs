//! What a password may be: long enough, not one that everybody uses, not built from what others know of the user.
//!
//! No rule says which characters it must have: such rules make passwords worse.

use secrecy::{ExposeSecret as _, SecretString};

/// One on each line, in lower case; passwords of collections that are public.
const COMMON: &str = include_str!("../../data/common-passwords.txt");
/// The name of the product, which everybody knows too.
const PRODUCT: &str = "taskman";
/// The shortest, in bytes.
const SHORTEST: usize = 8;
/// The longest, in bytes.
const LONGEST: usize = 128;
/// Shorter words are parts of too many others.
const SHORTEST_WORD: usize = 3;
/// So many letters beside the words that others know make a password of its own.
const OWN_LETTERS: usize = 4;

/// A password that keeps the rules; its bytes are taken as they come.
#[derive(Debug, Clone)]
pub(crate) struct Password(SecretString);

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Weak {
    /// It is too short.
    #[error("must have at least 8 bytes")]
    TooShort,
    /// It is too long.
    #[error("must have at most 128 bytes")]
    TooLong,
    /// Everybody uses it.
    #[error("is among the passwords that are tried first; choose another one")]
    Common,
    /// It is built from what others know of the user.
    #[error("must not be built from your name, your address, your company or the product; add words of your own")]
    Personal,
}

impl Password {
    /// Checks a password against the rules, for a user and a company of whom `personal_words` tell.
    pub(crate) fn parse(text: SecretString, personal_words: &[String]) -> Result<Self, Weak> {
        check_length(&text)?;
        let folded = text.expose_secret().to_lowercase();
        if is_common(&folded) {
            return Err(Weak::Common);
        }
        if is_built_from(&folded, personal_words) {
            return Err(Weak::Personal);
        }
        Ok(Self(text))
    }

    /// Returns the bytes to hash.
    pub(crate) fn into_inner(self) -> SecretString {
        self.0
    }
}

/// Checks what can be said of a password without knowing whose it is.
pub(crate) fn check_length(text: &SecretString) -> Result<(), Weak> {
    match text.expose_secret().len() {
        ..SHORTEST => Err(Weak::TooShort),
        SHORTEST..=LONGEST => Ok(()),
        _ => Err(Weak::TooLong),
    }
}

/// A common one stays common with digits and signs behind it: `Password1!`.
fn is_common(folded: &str) -> bool {
    let bare = folded.trim_end_matches(|c: char| !c.is_alphabetic());
    COMMON.lines().any(|common| common == folded || (bare.len() >= SHORTEST_WORD && common == bare))
}

fn is_built_from(folded: &str, personal_words: &[String]) -> bool {
    let mut words: Vec<String> =
        personal_words.iter().map(|word| word.to_lowercase()).flat_map(|word| parts(&word)).collect();
    words.push(PRODUCT.to_owned());
    // The longest first: what is left of it must not count as somebody's own letters.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(folded.to_owned(), |rest, word| rest.replace(word.as_str(), "\0"));
    rest != folded && rest.chars().filter(|c| c.is_alphabetic()).count() < OWN_LETTERS
}

/// Returns a word and the words that it consists of: an address has several.
fn parts(word: &str) -> Vec<String> {
    let whole = std::iter::once(word.trim());
    let split = word.split(|c: char| !c.is_alphanumeric());
    whole.chain(split).filter(|part| part.chars().count() >= SHORTEST_WORD).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(password: &str) -> Result<(), Weak> {
        let words = ["Acme Rockets Ltd", "acme", "ada.lovelace@example.com", "Ada", ""].map(str::to_owned);
        Password::parse(password.to_owned().into(), &words).map(|_| ())
    }

    #[test]
    fn length_counts_in_bytes() {
        assert_eq!(judged("sevenby"), Err(Weak::TooShort));
        assert_eq!(judged("ééééx"), Ok(()), "nine bytes");
        assert_eq!(judged(&"xq".repeat(64)), Ok(()));
        assert_eq!(judged(&"xq".repeat(65)), Err(Weak::TooLong));
    }

    #[test]
    fn what_everybody_uses_is_refused_also_with_digits_behind_it() {
        for common in
            ["password", "PassWord", "password1", "Password123!", "12345678", "qwertyuiop", "letmein!!", "monkey99"]
        {
            assert_eq!(judged(common), Err(Weak::Common), "{common}");
        }
    }

    #[test]
    fn what_others_know_is_refused_unless_there_is_more() {
        for personal in
            ["acme2026!", "lovelace42", "ada.lovelace@example.com", "ADAacme-1", "TaskMan2026", "acmerockets"]
        {
            assert_eq!(judged(personal), Err(Weak::Personal), "{personal}");
        }
        for own in ["correct-horse-acme", "violet kettle", "9f3kz7q1", "        ", "acme:8 tulips"] {
            assert_eq!(judged(own), Ok(()), "{own}");
        }
    }

    #[test]
    fn the_list_is_sorted_folded_and_without_doubles() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() >= 300, "{}", lines.len());
        assert!(lines.is_sorted_by(|a, b| a < b));
        assert!(lines.iter().all(|line| *line == line.to_lowercase().trim() && !line.is_empty()));
    }
}
