//! Whoever logs in, as the user service knows them, and what the roles of the moment are.

use taskman_events::NO_COMPANY;
use taskman_events::auth::LoginFailure;
use taskman_ids::{CompanyId, UserId};
use uuid::Uuid;

/// Stands in where nobody has the address: the same questions are asked about it. No record ever has this id.
pub(crate) const NOBODY: UserId = UserId::from_uuid(Uuid::nil());

/// A user who may want to log in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The user.
    pub(crate) user: UserId,
    /// Their company.
    pub(crate) company: CompanyId,
    /// Their address.
    pub(crate) email: String,
    /// What a password must not be built from.
    pub(crate) personal_words: Vec<String>,
    /// Whether the user is active.
    pub(crate) active: bool,
    /// Whether the company is open.
    pub(crate) company_active: bool,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("user", &self.user).field("company", &self.company).finish_non_exhaustive()
    }
}

impl Subject {
    /// Says why this user cannot log in now, whatever the password.
    pub(crate) const fn shut_out(&self) -> Option<LoginFailure> {
        match (self.active, self.company_active) {
            (true, true) => None,
            (false, _) => Some(LoginFailure::UserInactive),
            (true, false) => Some(LoginFailure::CompanyInactive),
        }
    }
}

/// Returns whom to ask about: the user, or the stand-in.
pub(crate) fn ids(subject: Option<&Subject>) -> (CompanyId, UserId) {
    subject.map_or((NO_COMPANY, NOBODY), |subject| (subject.company, subject.user))
}

/// The roles of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// The names of the roles.
    pub(crate) roles: Vec<String>,
    /// The position of the company's rights at which this is so.
    pub(crate) position: i64,
}
