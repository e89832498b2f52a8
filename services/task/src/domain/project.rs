//! A project: its key, its states, and which of them take changes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskman_events::task as events;
use taskman_ids::{CompanyId, ProjectId, UserId};
use unicode_normalization::UnicodeNormalization as _;

use crate::domain::Priority;
use crate::domain::text::{Description, Name};
use crate::error::Error;

/// The longest key.
const MAX_KEY: usize = 50;
/// So many keys are tried when one is made from a name: `CORE`, `CORE2` … `CORE99`.
const CANDIDATES: usize = 99;
/// The key of a project whose name has no Latin letter.
const NAMELESS: &str = "PRJ";

/// The state of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Not begun.
    Planning,
    /// Running; what a project is at first.
    Active,
    /// Paused.
    OnHold,
    /// Done.
    Completed,
    /// Given up.
    Cancelled,
}

impl Status {
    /// Every state.
    pub(crate) const ALL: [Self; 5] = [Self::Planning, Self::Active, Self::OnHold, Self::Completed, Self::Cancelled];

    /// Returns the word that stands in the database and in the attributes of the project.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Active => "active",
            Self::OnHold => "on_hold",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads such a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Refuses changes of a project that is over, and of its tasks (S5).
    pub(crate) const fn takes_changes(self) -> Result<(), Error> {
        match self {
            Self::Completed | Self::Cancelled => Err(Error::ProjectClosed { status: self }),
            Self::Planning | Self::Active | Self::OnHold => Ok(()),
        }
    }

    /// Refuses to begin work in a project that is over or paused (S5).
    pub(crate) const fn lets_work_begin(self) -> Result<(), Error> {
        match self {
            Self::OnHold => Err(Error::ProjectClosed { status: self }),
            _ => self.takes_changes(),
        }
    }
}

impl From<Status> for events::ProjectStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Planning => Self::Planning,
            Status::Active => Self::Active,
            Status::OnHold => Self::OnHold,
            Status::Completed => Self::Completed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The short name of a project, which its tasks carry: `[A-Z][A-Z0-9_-]{0,49}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    /// Reads a key that somebody chose.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
        let goes_on = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        if begins && goes_on && text.len() <= MAX_KEY {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be a capital letter and up to 49 more capital letters, digits, `_` and `-`")
        }
    }

    /// Returns the key.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Wraps a key that was parsed when it was stored.
    pub(crate) const fn stored(key: String) -> Self {
        Self(key)
    }

    /// Makes keys from a name, the best first: the beginning of a single word, the initials of several.
    fn from_name(name: &Name) -> Vec<Self> {
        // NFKD takes accents apart, so that `Öl` leads to `OL`.
        let plain: String = name.as_str().nfkd().filter(|c| !is_accent(*c)).collect::<String>().to_ascii_uppercase();
        let words: Vec<&str> = plain
            .split(|c: char| !c.is_ascii_alphanumeric())
            .map(|word| word.trim_start_matches(|c: char| c.is_ascii_digit()))
            .filter(|word| !word.is_empty())
            .collect();
        let base: String = match words.as_slice() {
            [] => NAMELESS.to_owned(),
            [word] => word.chars().take(4).collect(),
            words => words.iter().take(5).filter_map(|word| word.chars().next()).collect(),
        };
        let numbered = (2..=CANDIDATES).map(|number| format!("{base}{number}"));
        std::iter::once(base.clone()).chain(numbered).map(Self).collect()
    }
}

const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Where the key of a new project comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyChoice {
    /// Somebody chose it; when it is taken, there is no other.
    Given(Key),
    /// It is made from the name; the first one that is free is taken.
    Made,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Project {
    /// Its id.
    pub(crate) id: ProjectId,
    /// The company.
    pub(crate) company: CompanyId,
    /// Its short name; never changes.
    pub(crate) key: Key,
    /// Its name.
    pub(crate) name: Name,
    /// What there is to say about it.
    pub(crate) description: Description,
    /// Its state.
    pub(crate) status: Status,
    /// How much it matters.
    pub(crate) priority: Priority,
    /// Who answers for it.
    pub(crate) owner: UserId,
    /// When it was created.
    pub(crate) created_at: DateTime<Utc>,
    /// When anything here changed last.
    pub(crate) updated_at: DateTime<Utc>,
    /// From 1, one more with each change.
    pub(crate) version: i32,
}

/// A project that is about to be created; only the database knows which key is free.
#[derive(Debug, Clone)]
pub(crate) struct NewProject {
    /// Its id.
    pub(crate) id: ProjectId,
    /// The company.
    pub(crate) company: CompanyId,
    /// Where its key comes from.
    pub(crate) key: KeyChoice,
    /// Its name.
    pub(crate) name: Name,
    /// What there is to say about it.
    pub(crate) description: Description,
    /// How much it matters.
    pub(crate) priority: Priority,
    /// Who creates it, and answers for it.
    pub(crate) owner: UserId,
    /// When it is created.
    pub(crate) created_at: DateTime<Utc>,
}

impl NewProject {
    /// The state that it starts in.
    pub(crate) const STATUS: Status = Status::Active;

    /// Returns the keys that it could have, the best first.
    pub(crate) fn candidates(&self) -> Vec<Key> {
        match &self.key {
            KeyChoice::Given(key) => vec![key.clone()],
            KeyChoice::Made => Key::from_name(&self.name),
        }
    }

    /// Becomes a project with the key that was free.
    pub(crate) fn created(self, key: Key) -> (Project, events::ProjectCreated) {
        let project = Project {
            id: self.id,
            company: self.company,
            key,
            name: self.name,
            description: self.description,
            status: Self::STATUS,
            priority: self.priority,
            owner: self.owner,
            created_at: self.created_at,
            updated_at: self.created_at,
            version: 1,
        };
        let event = events::ProjectCreated { project: project.summary(), by: self.owner };
        (project, event)
    }
}

impl Project {
    /// Returns the project as events tell of it.
    fn summary(&self) -> events::Project {
        events::Project {
            id: self.id,
            key: self.key.as_str().to_owned(),
            name: self.name.as_str().to_owned(),
            status: self.status.into(),
            priority: self.priority.into(),
            owner_id: self.owner,
            version: self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(name: &str) -> String {
        Key::from_name(&Name::parse(name).unwrap())[0].as_str().to_owned()
    }

    #[test]
    fn a_key_is_made_of_a_word_or_of_initials() {
        let examples = [
            ("Core", "CORE"),
            ("payments", "PAYM"),
            ("ui", "UI"),
            ("Customer Support Portal", "CSP"),
            ("a b c d e f g", "ABCDE"),
            ("2026 Roadmap", "ROAD"),
            ("3D-Printing", "DP"),
            ("Öl und Gas", "OUG"),
            ("日本語", "PRJ"),
            ("2026", "PRJ"),
        ];
        for (name, key) in examples {
            assert_eq!(made(name), key, "{name}");
        }
    }

    #[test]
    fn other_candidates_are_numbered() {
        let keys = Key::from_name(&Name::parse("Core").unwrap());
        let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
        assert_eq!((&keys[..3], keys.len(), keys.last()), (&["CORE", "CORE2", "CORE3"][..], 99, Some(&"CORE99")));
    }

    #[test]
    fn only_keys_are_keys() {
        for good in ["A", "CORE", "A1", "A_-9", &"A".repeat(50)] {
            assert!(Key::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "1A", "_A", "-A", "A B", "Ä", "CORE ", &"A".repeat(51)] {
            assert!(Key::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_closed_project_refuses_changes_and_a_paused_one_refuses_work() {
        let changes = Status::ALL.map(|status| status.takes_changes().is_ok());
        let work = Status::ALL.map(|status| status.lets_work_begin().is_ok());
        assert_eq!(changes, [true, true, true, false, false]);
        assert_eq!(work, [true, true, false, false, false]);
    }

    proptest! {
        #[test]
        fn every_key_that_is_made_is_a_key(name in "\\PC{1,40}") {
            if let Ok(name) = Name::parse(&name) {
                for key in Key::from_name(&name) {
                    prop_assert!(Key::parse(key.as_str()).is_ok(), "{:?}", key);
                }
            }
        }
    }
}
