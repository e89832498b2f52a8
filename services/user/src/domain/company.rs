//! A company: the tenant of everything.

use chrono::{DateTime, Utc};
use taskman_events::user::{Company as CompanyState, CompanyCreated, CompanyStatus};
use taskman_ids::{CompanyId, UserId};

use super::text::{self, TextInvalid};

/// The life of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Status {
    /// Signed up, its roles are not there yet; nobody can log in.
    Provisioning,
    /// Open.
    Active,
    /// Shut by an operator.
    Suspended,
}

/// A company.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// Its name.
    pub name: String,
    /// Its short name, unique.
    pub slug: String,
    /// Whether its users can log in.
    pub status: Status,
    /// Its first user.
    pub admin_id: UserId,
    /// When it signed up.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// From 1, one more with each change.
    pub version: i32,
}

impl Company {
    /// Opens a company whose roles are there.
    pub fn open(&mut self, now: DateTime<Utc>) -> CompanyCreated {
        self.status = Status::Active;
        self.updated_at = now;
        self.version += 1;
        CompanyCreated {
            company: CompanyState {
                id: self.id,
                name: self.name.clone(),
                slug: self.slug.clone(),
                status: CompanyStatus::Active,
                version: self.version,
            },
            admin_user_id: self.admin_id,
        }
    }
}

/// Reads a company's name: 1..255 characters.
pub fn parse_name(text: &str) -> Result<String, TextInvalid> {
    text::required(text, 255)
}

/// Reads a company's short name: `[a-z0-9][a-z0-9-]{1,62}`. `platform` is taken by the operators.
pub fn parse_slug(text: &str) -> Result<String, TextInvalid> {
    if text.is_empty() {
        return Err(TextInvalid::Missing);
    }
    let well_formed = (2..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_formed {
        return Err(TextInvalid::Form("have 2 to 63 characters of a-z, 0-9 and -, and not begin with -"));
    }
    if text == "platform" {
        return Err(TextInvalid::Form("not be a reserved name"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_have_a_narrow_form() {
        for good in ["ab", "acme", "acme-2", "0x", &"a".repeat(63)] {
            assert!(parse_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "Acme", "a_b", "a b", "ä-b", "platform", &"a".repeat(64)] {
            assert!(parse_slug(bad).is_err(), "{bad}");
        }
    }
}
