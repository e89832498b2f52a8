//! The exchanges: one for each domain, owned by the service that publishes there.

/// A durable topic exchange. Exactly one service publishes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exchange {
    /// Logins, sessions and passwords.
    Auth,
    /// Companies and their users.
    User,
    /// Projects and tasks.
    Task,
    /// Roles, policies and assignments.
    Iam,
    /// What was sent to people and endpoints.
    Notification,
    /// What happened to the audit trail itself.
    Audit,
    /// Decisions worth knowing about.
    Authz,
}

impl Exchange {
    /// Every exchange.
    pub const ALL: [Self; 7] =
        [Self::Auth, Self::User, Self::Task, Self::Iam, Self::Notification, Self::Audit, Self::Authz];

    /// Returns its name on the broker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth.events",
            Self::User => "user.events",
            Self::Task => "task.events",
            Self::Iam => "iam.events",
            Self::Notification => "notification.events",
            Self::Audit => "audit.events",
            Self::Authz => "authz.events",
        }
    }

    /// Returns the service that publishes here.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Auth => "authentication",
            Self::User => "user",
            Self::Task => "task",
            Self::Iam => "iam-admin",
            Self::Notification => "notification",
            Self::Audit => "audit",
            Self::Authz => "authorization",
        }
    }

    /// Finds an exchange by its name on the broker.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exchange| exchange.name() == name)
    }
}
