//! Typed identifiers: UUIDv7 newtypes, one for each kind of record.
//!
//! Ids are made by the service that owns the record, never by a database or a client. A UUIDv7 starts with the time in
//! milliseconds, so rows of one table land near each other in an index.

use uuid::Uuid;

/// Says that a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId;

impl std::fmt::Display for InvalidId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("must be a UUID in its hyphenated form")
    }
}

impl std::error::Error for InvalidId {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id (UUIDv7).
            #[expect(clippy::new_without_default, reason = "an id is made on purpose, never by default")]
            pub fn new() -> Self {
                Self(new_uuid())
            }

            /// Makes the id that `request` and `label` always lead to, so that a step can be repeated without making a
            /// second record.
            pub fn derived(request: Uuid, label: &str) -> Self {
                Self(Uuid::new_v5(&request, label.as_bytes()))
            }

            /// Wraps a UUID that is known to be such an id.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the bare UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// Parses the hyphenated form, in either case; nothing else is accepted.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                parse_uuid(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    };
}

id!(/// Names a company, the tenant of everything.
    CompanyId);
id!(/// Names a user of a company.
    UserId);
id!(/// Names a login session.
    SessionId);
id!(/// Names a role of a company.
    RoleId);
id!(/// Names a policy of a company.
    PolicyId);
id!(/// Names one authorization decision, for the person who asks why.
    DecisionId);
id!(/// Names a project.
    ProjectId);
id!(/// Names a task.
    TaskId);
id!(/// Names a domain event, and the audit record made of it.
    EventId);
id!(/// Names a notification to one recipient.
    NotificationId);
id!(/// Names a request for a link by mail (password reset, set password).
    LinkRequestId);
id!(/// Names one request on its way through the fleet; for people and logs, never for decisions.
    RequestId);

/// Makes a UUIDv7 for a record that has no type of its own.
#[expect(clippy::disallowed_methods, reason = "the one place that makes UUIDs")]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Parses a UUID in its hyphenated form; braces, URNs and the form without hyphens are refused.
pub fn parse_uuid(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = TaskId::new();
        assert_eq!(TaskId::parse(&id.to_string()), Ok(id));
        assert_eq!(TaskId::parse(&id.to_string().to_uppercase()), Ok(id));
        let simple = id.as_uuid().simple().to_string();
        for bad in ["", "x", simple.as_str(), &format!("{{{id}}}"), &format!("urn:uuid:{id}")] {
            assert_eq!(TaskId::parse(bad), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn new_ids_are_version_7_and_sort_by_time() {
        let ids: Vec<EventId> = (0..100).map(|_| EventId::new()).collect();
        assert!(ids.iter().all(|id| id.as_uuid().get_version_num() == 7));
        assert!(ids.is_sorted());
    }

    #[test]
    fn the_same_request_always_leads_to_the_same_id() {
        let request = new_uuid();
        assert_eq!(CompanyId::derived(request, "company"), CompanyId::derived(request, "company"));
        assert_ne!(CompanyId::derived(request, "company").as_uuid(), CompanyId::derived(request, "user").as_uuid());
    }
}
