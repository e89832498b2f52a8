//! What can be cached, and how it is written down in Redis.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record that can be cached.
pub trait Entry: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind of record, part of the key: `profile` in `user:profile:{company}:{id}`. Lower-case letters and `-`. A
    /// changed meaning of the record's fields is a new kind.
    const KIND: &'static str;
    /// How long Redis keeps an entry.
    const TTL: Duration;

    /// Returns the version of the record, which grows with each change and is less than 2^53.
    fn version(&self) -> i64;
}

/// What Redis holds under a key: `version LF json`, where a tombstone has no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written<'a> {
    pub(crate) version: i64,
    pub(crate) json: &'a str,
}

impl<'a> Written<'a> {
    /// Reads a value; what somebody else wrote under our key is nothing.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let (version, json) = std::str::from_utf8(value).ok()?.split_once('\n')?;
        Some(Self { version: version.parse().ok()?, json })
    }

    /// Reads the record; a tombstone, or a record of another release's shape, is none.
    pub(crate) fn entry<T: Entry>(self) -> Option<T> {
        serde_json::from_str(self.json).ok().filter(|entry: &T| entry.version() == self.version)
    }
}

/// Writes a record down; none when it cannot be.
pub(crate) fn write<T: Entry>(entry: &T) -> Option<String> {
    let json = serde_json::to_string(entry).ok()?;
    Some(format!("{}\n{json}", entry.version()))
}

/// Writes a tombstone down.
pub(crate) fn write_tombstone(version: i64) -> String {
    format!("{version}\n")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Profile {
        name: String,
        version: i64,
    }

    impl Entry for Profile {
        const KIND: &'static str = "profile";
        const TTL: Duration = Duration::from_mins(1);

        fn version(&self) -> i64 {
            self.version
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let profile = Profile { name: "two\nlines".to_owned(), version: 7 };
        let written = write(&profile).unwrap();
        assert_eq!(Written::parse(written.as_bytes()).unwrap().entry(), Some(profile));
    }

    #[test]
    fn a_tombstone_has_a_version_and_no_record() {
        let written = write_tombstone(8);
        let tombstone = Written::parse(written.as_bytes()).unwrap();
        assert_eq!((tombstone.version, tombstone.entry::<Profile>()), (8, None));
    }

    #[test]
    fn foreign_values_are_nothing() {
        for value in [&b""[..], b"7", b"x\n{}", b"\xff\n", b"9999999999999999999\n"] {
            assert_eq!(Written::parse(value), None);
        }
        for json in ["{}", "null", r#"{"name": "a", "version": 6}"#, r#"{"name": 1, "version": 7}"#] {
            assert_eq!(Written { version: 7, json }.entry::<Profile>(), None, "{json}");
        }
    }
}
