//! The list of every event.

use serde_json::Value;

use crate::schema::{Schema, personal_pointers};
use crate::{Event, Exchange, audit, auth, authz, iam, notification, task, user};

/// What is known of an event without having one.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The routing key.
    pub key: &'static str,
    /// Where it is published.
    pub exchange: Exchange,
    /// Whether any field is about a person.
    pub personal: bool,
    schema: fn() -> Value,
}

impl Entry {
    const fn of<E: Event + Schema>() -> Self {
        Self { key: E::KEY, exchange: E::EXCHANGE, personal: <E as Event>::PERSONAL, schema: E::schema }
    }

    /// Returns the JSON Schema of the payload.
    pub fn schema(&self) -> Value {
        let mut schema = (self.schema)();
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        schema["$id"] = crate::envelope::dataschema(self.key).into();
        schema["title"] = self.key.into();
        schema
    }

    /// Returns the JSON pointers of the fields that are about a person: `/user/email`.
    pub fn personal_fields(&self) -> Vec<String> {
        let mut found = Vec::new();
        personal_pointers(&(self.schema)(), "", &mut found);
        found
    }
}

/// Every event, by exchange.
pub const CATALOGUE: &[Entry] = &[
    Entry::of::<auth::LoginSuccess>(),
    Entry::of::<auth::LoginFailed>(),
    Entry::of::<auth::Logout>(),
    Entry::of::<auth::TokenRefreshed>(),
    Entry::of::<auth::PasswordReset>(),
    Entry::of::<auth::PasswordResetRequested>(),
    Entry::of::<auth::SessionRevoked>(),
    Entry::of::<auth::TokenReuseDetected>(),
    Entry::of::<user::CompanyCreated>(),
    Entry::of::<user::UserCreated>(),
    Entry::of::<user::UserActivated>(),
    Entry::of::<user::UserDeactivated>(),
    Entry::of::<task::ProjectCreated>(),
    Entry::of::<task::TaskCreated>(),
    Entry::of::<task::TaskAssigned>(),
    Entry::of::<task::TaskStarted>(),
    Entry::of::<task::TaskCompleted>(),
    Entry::of::<iam::RoleCreated>(),
    Entry::of::<iam::RoleAssigned>(),
    Entry::of::<iam::RoleRevoked>(),
    Entry::of::<iam::RoleExpired>(),
    Entry::of::<iam::PolicyCreated>(),
    Entry::of::<notification::EmailSent>(),
    Entry::of::<notification::EmailFailed>(),
    Entry::of::<audit::AuditQueried>(),
    Entry::of::<authz::DecisionDenied>(),
];

/// Finds an event by its routing key.
pub fn find(key: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.key == key)
}
