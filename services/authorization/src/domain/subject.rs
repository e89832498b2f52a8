//! What decisions know of a user.

use std::fmt;

use taskman_ids::{CompanyId, UserId};
use taskman_policy::{HeldRole, SubjectFacts};

/// A user, as the user service tells it; roles come from elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user.
    pub id: UserId,
    /// The user's company.
    pub company: CompanyId,
    /// The e-mail address.
    pub email: String,
    /// The department, where one is set.
    pub department: Option<String>,
    /// The location, where one is set.
    pub location: Option<String>,
    /// False for a deactivated or deleted user.
    pub active: bool,
    /// Whether an operator has shut the company. One that is still being provisioned is not: nobody has a token of it,
    /// and its first user must not be refused only because its opening is a moment behind.
    pub company_suspended: bool,
}

impl Subject {
    /// Joins the user with the roles that the user holds.
    pub fn facts(&self, roles: Vec<HeldRole>) -> SubjectFacts {
        SubjectFacts {
            id: self.id,
            company_id: self.company,
            email: self.email.clone(),
            department: self.department.clone(),
            location: self.location.clone(),
            active: self.active,
            roles,
        }
    }
}

impl fmt::Debug for Subject {
    /// Shows no personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("id", &self.id).field("active", &self.active).finish_non_exhaustive()
    }
}
