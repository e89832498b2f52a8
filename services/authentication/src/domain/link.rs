//! Links that set a password: asked for, minted when the mail is sent, used once.

use chrono::{DateTime, TimeDelta, Utc};
use taskman_ids::{CompanyId, LinkRequestId, UserId};

use super::secret::{Hash, same};

/// How often the secret of one link is made anew, for a mail that has to be sent again.
const MINTS: i32 = 5;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To choose a new password after the old one was forgotten.
    ResetPassword,
    /// To choose the first password.
    SetPassword,
}

impl Purpose {
    /// Returns the name that it is stored under.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
            Self::SetPassword => "set_password",
        }
    }

    /// Reads the stored name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::ResetPassword, Self::SetPassword].into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// For how long after the request secrets are made.
    const fn mintable(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::minutes(30),
            Self::SetPassword => TimeDelta::days(7),
        }
    }

    /// For how long a secret is valid.
    const fn valid(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::minutes(10),
            Self::SetPassword => TimeDelta::days(7),
        }
    }
}

/// A link, from the request on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The request.
    pub(crate) id: LinkRequestId,
    /// The company of the user.
    pub(crate) company: CompanyId,
    /// Whose password it sets.
    pub(crate) user: UserId,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// When it was asked for.
    pub(crate) requested_at: DateTime<Utc>,
    /// Until when secrets are made.
    pub(crate) mintable_until: DateTime<Utc>,
    /// How many were made.
    pub(crate) mints: i32,
    /// The newest secret and until when it is valid; older ones are not.
    pub(crate) minted: Option<(Hash, DateTime<Utc>)>,
    /// When it was used, or another link of the user was.
    pub(crate) used_at: Option<DateTime<Utc>>,
}

impl Link {
    /// Asks for a link.
    pub(crate) fn request(
        id: LinkRequestId,
        (company, user): (CompanyId, UserId),
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Self {
        let mintable_until = now + purpose.mintable();
        Self { id, company, user, purpose, requested_at: now, mintable_until, mints: 0, minted: None, used_at: None }
    }

    /// Takes the secret with this hash in the place of any older one and says until when it is valid; `None` when the
    /// link cannot have another one.
    pub(crate) fn mint(&mut self, purpose: Purpose, hash: Hash, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let possible =
            self.purpose == purpose && self.used_at.is_none() && self.mints < MINTS && now < self.mintable_until;
        possible.then(|| {
            let expires_at = now + purpose.valid();
            self.mints += 1;
            self.minted = Some((hash, expires_at));
            expires_at
        })
    }

    /// Says whether the secret with this hash opens the link.
    pub(crate) fn opens_with(&self, hash: &Hash, now: DateTime<Utc>) -> bool {
        let minted = self.minted.as_ref();
        self.used_at.is_none() && minted.is_some_and(|(known, until)| same(known, hash) && now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn link(purpose: Purpose) -> Link {
        Link::request(LinkRequestId::new(), (CompanyId::new(), UserId::new()), purpose, NOW)
    }

    #[test]
    fn a_reset_link_is_minted_five_times_within_half_an_hour() {
        let mut reset = link(Purpose::ResetPassword);
        assert_eq!(reset.mint(Purpose::SetPassword, [0; 32], NOW), None);
        for second in 0..5 {
            assert!(reset.mint(Purpose::ResetPassword, [0; 32], NOW + TimeDelta::seconds(second)).is_some());
        }
        assert_eq!(reset.mint(Purpose::ResetPassword, [0; 32], NOW), None);
        let mut late = link(Purpose::ResetPassword);
        assert_eq!(late.mint(Purpose::ResetPassword, [0; 32], NOW + TimeDelta::minutes(30)), None);
        let mut set = link(Purpose::SetPassword);
        let week = TimeDelta::days(7);
        assert_eq!(
            set.mint(Purpose::SetPassword, [0; 32], NOW + week - TimeDelta::seconds(1)).map(|at| at - NOW),
            Some(week + week - TimeDelta::seconds(1))
        );
        assert_eq!(set.mint(Purpose::SetPassword, [0; 32], NOW + week), None);
    }

    #[test]
    fn only_the_newest_secret_opens_a_link_until_it_is_used_or_ten_minutes_old() {
        let mut reset = link(Purpose::ResetPassword);
        assert!(!reset.opens_with(&[1; 32], NOW));
        reset.mint(Purpose::ResetPassword, [1; 32], NOW);
        reset.mint(Purpose::ResetPassword, [2; 32], NOW);
        assert!(!reset.opens_with(&[1; 32], NOW));
        assert!(reset.opens_with(&[2; 32], NOW + TimeDelta::minutes(10) - TimeDelta::microseconds(1)));
        assert!(!reset.opens_with(&[2; 32], NOW + TimeDelta::minutes(10)));
        reset.used_at = Some(NOW);
        assert!(!reset.opens_with(&[2; 32], NOW));
        assert_eq!(reset.mint(Purpose::ResetPassword, [3; 32], NOW), None);
    }
}
