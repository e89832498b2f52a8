//! E-mail addresses: what is taken for one, and when two are the same.

use unicode_normalization::UnicodeNormalization as _;

use super::text::TextInvalid;

/// An e-mail address as a person wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl std::fmt::Debug for Email {
    /// Addresses do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email")
    }
}

impl Email {
    /// Takes an address of the form `local@domain` with at most 255 characters. Whether it can receive mail is known only
    /// after a mail was sent.
    pub fn parse(text: &str) -> Result<Self, TextInvalid> {
        let text: String = text.trim().nfc().collect();
        if text.is_empty() {
            return Err(TextInvalid::Missing);
        }
        if text.chars().count() > 255 {
            return Err(TextInvalid::TooLong(255));
        }
        if is_address(&text) { Ok(Self(text)) } else { Err(TextInvalid::Form("be an e-mail address")) }
    }

    /// Returns the address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form in which addresses are compared: two that differ only in case are the same.
    pub fn normalised(&self) -> String {
        normalise(&self.0)
    }
}

/// Returns the form in which addresses are compared, for whatever text: what is no address equals none.
pub fn normalise(text: &str) -> String {
    text.trim().nfc().collect::<String>().to_lowercase()
}

/// Is stricter than RFC 5322 where the RFC allows what no mail server of today takes: quotes, comments, blanks.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    local_ok && domain.split('.').count() >= 2 && domain.split('.').all(label_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in ["ada@example.com", " ada@example.com ", "a.b+c@sub.example.com", "jörg@bücher.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a..b@example.com",
            "ada@-x.com",
            "ada@example..com",
            "ada@example.com\r\nBcc: x@example.com",
            "\"a\"@example.com",
            "a@b@c.com",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
    }

    #[test]
    fn case_does_not_tell_addresses_apart() {
        assert_eq!(Email::parse("Ada@Example.COM").unwrap().normalised(), normalise(" ada@example.com"));
    }
}
