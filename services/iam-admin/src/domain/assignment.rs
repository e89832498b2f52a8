//! An assignment: a role that a user holds, for good or for a time.

use chrono::{DateTime, Utc};
use taskman_events::iam::{RoleAssigned, RoleExpired, RoleRevoked};
use taskman_ids::UserId;

use super::role::Role;

/// A role in the hands of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Who holds it.
    pub(crate) user_id: UserId,
    /// What.
    pub(crate) role: Role,
    /// Since when.
    pub(crate) assigned_at: DateTime<Utc>,
    /// Who gave it; nobody when the system did.
    pub(crate) assigned_by: Option<UserId>,
    /// The first moment at which it is not held any more; never when unset.
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// What assigning a role to somebody amounts to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It is held already, until the same moment.
    Unchanged(Assignment),
    /// It is held from now on, or until another moment than before.
    Changed {
        /// The assignment as it is now.
        assignment: Assignment,
        /// Tells of it.
        event: RoleAssigned,
        /// Tells that an earlier assignment had come to its end before; the job had not been there yet.
        ended: Option<RoleExpired>,
    },
}

impl Assignment {
    /// Gives `role` to a user. One who holds it already only gets the new end; the rest stays as it was.
    pub(crate) fn assign(
        existing: Option<Self>,
        role: Role,
        user: UserId,
        by: Option<UserId>,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Outcome {
        let fresh = Self { user_id: user, role, assigned_at: now, assigned_by: by, expires_at };
        let (assignment, ended) = match existing {
            Some(held) if held.is_held(now) && held.expires_at == expires_at => return Outcome::Unchanged(held),
            Some(held) if held.is_held(now) => (Self { expires_at, ..held }, None),
            Some(past) => (fresh, past.expired()),
            None => (fresh, None),
        };
        let event = RoleAssigned {
            user_id: user,
            role_id: assignment.role.id,
            role_name: assignment.role.name.clone(),
            expires_at,
            by,
        };
        Outcome::Changed { assignment, event, ended }
    }

    /// Says whether the role is held at `now`: the end itself is outside.
    pub(crate) fn is_held(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Says whether the company could be left without administrator when this assignment ends. A company always has one
    /// whose role does not end by itself, so that no passing of time can take the last one.
    pub(crate) fn keeps_the_company_administered(&self) -> bool {
        self.role.is_admin() && self.expires_at.is_none()
    }

    /// Tells that the role was taken away.
    pub(crate) fn revoked(&self, by: UserId) -> RoleRevoked {
        RoleRevoked { user_id: self.user_id, role_id: self.role.id, role_name: self.role.name.clone(), by: Some(by) }
    }

    /// Tells that the time is over; nothing for an assignment without end.
    pub(crate) fn expired(&self) -> Option<RoleExpired> {
        self.expires_at.map(|expired_at| RoleExpired {
            user_id: self.user_id,
            role_id: self.role.id,
            role_name: self.role.name.clone(),
            expired_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use taskman_ids::{CompanyId, RoleId};

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn role() -> Role {
        Role {
            id: RoleId::new(),
            company_id: CompanyId::new(),
            name: "viewer".to_owned(),
            description: String::new(),
            system: true,
            pseudo: false,
            created_at: NOW,
            version: 1,
        }
    }

    fn held(expires_at: Option<DateTime<Utc>>) -> Assignment {
        let assigned_at = NOW - TimeDelta::days(1);
        Assignment { user_id: UserId::new(), role: role(), assigned_at, assigned_by: None, expires_at }
    }

    fn assign(existing: Assignment, expires_at: Option<DateTime<Utc>>) -> Outcome {
        let (role, user) = (existing.role.clone(), existing.user_id);
        Assignment::assign(Some(existing), role, user, Some(UserId::new()), expires_at, NOW)
    }

    #[test]
    fn a_role_that_is_held_until_the_same_moment_is_not_given_again() {
        for end in [None, Some(NOW + TimeDelta::hours(1))] {
            let held = held(end);
            assert_eq!(assign(held.clone(), end), Outcome::Unchanged(held));
        }
    }

    #[test]
    fn a_new_end_leaves_the_rest_of_the_assignment_alone() {
        let (held, end) = (held(None), Some(NOW + TimeDelta::hours(1)));
        let Outcome::Changed { assignment, event, ended } = assign(held.clone(), end) else { panic!("unchanged") };
        assert_eq!(assignment, Assignment { expires_at: end, ..held });
        assert_eq!((event.expires_at, ended), (end, None));
    }

    #[test]
    fn a_role_that_has_ended_is_given_afresh_and_its_end_is_told() {
        let past = held(Some(NOW));
        assert!(!past.is_held(NOW));
        let Outcome::Changed { assignment, event, ended } = assign(past.clone(), None) else { panic!("unchanged") };
        assert_eq!((assignment.assigned_at, assignment.assigned_by), (NOW, event.by));
        assert_eq!(ended, past.expired());
        assert!(ended.is_some());
    }
}
