//! A user of a company.

use chrono::{DateTime, Utc};
use taskman_events::user::{User as UserState, UserActivated, UserCreated, UserDeactivated, UserOrigin};
use taskman_ids::{CompanyId, LinkRequestId, UserId};

use super::email::Email;
use super::text::{self, TextInvalid};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their company.
    pub company_id: CompanyId,
    /// Their address as it was written.
    pub email: String,
    /// Their name in the company.
    pub username: String,
    /// Their given name, or nothing.
    pub first_name: String,
    /// Their family name, or nothing.
    pub last_name: String,
    /// Their department, or nothing.
    pub department: String,
    /// Where they work, or nothing.
    pub location: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
    /// Whether they can log in and be assigned.
    pub is_active: bool,
    /// When they were created.
    pub created_at: DateTime<Utc>,
    /// When they changed last.
    pub updated_at: DateTime<Utc>,
    /// From 1, one more with each change.
    pub version: i32,
}

/// What a new user is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Their address.
    pub email: Email,
    /// Their name in the company.
    pub username: String,
    /// Their given name.
    pub first_name: String,
    /// Their family name.
    pub last_name: String,
    /// Their department.
    pub department: String,
    /// Where they work.
    pub location: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
}

impl User {
    /// Makes an active user of a company.
    pub fn create(id: UserId, company: CompanyId, profile: Profile, now: DateTime<Utc>) -> Self {
        Self {
            id,
            company_id: company,
            email: profile.email.as_str().to_owned(),
            username: profile.username,
            first_name: profile.first_name,
            last_name: profile.last_name,
            department: profile.department,
            location: profile.location,
            timezone: profile.timezone,
            locale: profile.locale,
            is_active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Tells that the user came with the sign-up of the company.
    pub fn signed_up(&self) -> UserCreated {
        UserCreated { user: self.state(), origin: UserOrigin::Signup, link_request_id: None }
    }

    /// Tells that somebody else created the user, who sets a password with the link that is made from `link`.
    pub fn invited(&self, link: LinkRequestId) -> UserCreated {
        UserCreated { user: self.state(), origin: UserOrigin::Invited, link_request_id: Some(link) }
    }

    /// Lets the user in again; nothing happens to one who is active.
    pub fn activate(&mut self, now: DateTime<Utc>) -> Option<UserActivated> {
        self.set_active(true, now).then(|| UserActivated { user: self.state(), changed_fields: vec!["active".into()] })
    }

    /// Shuts the user out; nothing happens to one who is.
    pub fn deactivate(&mut self, reason: &str, now: DateTime<Utc>) -> Option<UserDeactivated> {
        self.set_active(false, now).then(|| UserDeactivated {
            user: self.state(),
            changed_fields: vec!["active".into()],
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
        })
    }

    fn set_active(&mut self, active: bool, now: DateTime<Utc>) -> bool {
        if self.is_active == active {
            return false;
        }
        self.is_active = active;
        self.updated_at = now;
        self.version += 1;
        true
    }

    fn state(&self) -> UserState {
        UserState {
            id: self.id,
            company_id: self.company_id,
            email: self.email.clone(),
            username: self.username.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            department: self.department.clone(),
            location: self.location.clone(),
            locale: self.locale.clone(),
            timezone: self.timezone.clone(),
            active: self.is_active,
            version: self.version,
        }
    }
}

/// Reads a username: 1..100 characters of `A-Z a-z 0-9 . _ -`.
pub fn parse_username(text: &str) -> Result<String, TextInvalid> {
    let text = text::required(text, 100)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(TextInvalid::Form("consist of A-Z, a-z, 0-9, `.`, `_` and `-`"))
    }
}

/// Reads a name, department or location: up to 100 characters.
pub fn parse_detail(text: &str) -> Result<String, TextInvalid> {
    text::optional(text, 100)
}

/// Reads an IANA time zone by its form (`Area/City`, `UTC`); empty means `UTC`.
pub fn parse_timezone(text: &str) -> Result<String, TextInvalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok("UTC".to_owned());
    }
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    };
    if text.len() <= 50 && text.split('/').all(part) {
        Ok(text.to_owned())
    } else {
        Err(TextInvalid::Form("be an IANA time zone such as Europe/Berlin"))
    }
}

/// Reads a BCP 47 tag by its form (`en`, `de-AT`); empty means `en`.
pub fn parse_locale(text: &str) -> Result<String, TextInvalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok("en".to_owned());
    }
    let mut parts = text.split('-');
    let language = parts
        .next()
        .is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let rest = parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if text.len() <= 35 && language && rest {
        Ok(text.to_owned())
    } else {
        Err(TextInvalid::Form("be a language tag such as en or de-AT"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        let profile = Profile {
            email: Email::parse("ada@example.com").unwrap(),
            username: "ada".into(),
            first_name: String::new(),
            last_name: String::new(),
            department: String::new(),
            location: String::new(),
            timezone: "UTC".into(),
            locale: "en".into(),
        };
        User::create(UserId::new(), CompanyId::new(), profile, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_change_counts_once() {
        let mut user = user();
        assert_eq!(user.activate(DateTime::UNIX_EPOCH), None);
        assert!(
            user.deactivate("", DateTime::UNIX_EPOCH)
                .is_some_and(|event| event.user.version == 2 && !event.user.active)
        );
        assert_eq!(user.deactivate("", DateTime::UNIX_EPOCH), None);
        assert_eq!(user.version, 2);
    }

    #[test]
    fn usernames_zones_and_locales_have_their_form() {
        assert!(parse_username("Ada.L_0-1").is_ok());
        for bad in ["", "a b", "ä", "a@b", &"a".repeat(101)] {
            assert!(parse_username(bad).is_err(), "{bad}");
        }
        for (text, good) in
            [("", true), ("Europe/Berlin", true), ("Etc/GMT+1", true), ("Europe/", false), ("a b", false)]
        {
            assert_eq!(parse_timezone(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("", true), ("de-AT", true), ("zh-Hant-TW", true), ("d", false), ("de_AT", false)] {
            assert_eq!(parse_locale(text).is_ok(), good, "{text}");
        }
    }
}
