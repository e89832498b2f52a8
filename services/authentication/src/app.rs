//! The use cases: one RPC, one file, one function.

pub(crate) mod check_session;
pub(crate) mod create_credential;
pub(crate) mod create_link_request;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod mint_link;
pub(crate) mod refresh_token;
pub(crate) mod request_password_reset;
pub(crate) mod reset_password;
pub(crate) mod revoke_subject;
pub(crate) mod verify_token;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use taskman_clock::SharedClock;
use taskman_events::{Actor, Origin};
use taskman_identity::{Claims, Client, TokenVerifier};
use taskman_ids::{CompanyId, SessionId, UserId, new_uuid};
use taskman_messaging::Outbox;
use taskman_postgres::Db;

use crate::clients::Clients;
use crate::domain::session::{ACCESS, Session};
use crate::domain::subject::{Rights, Subject};
use crate::error::Error;
use crate::hashing::Hashing;
use crate::keyring::Keyring;
use crate::revocations::Feed;
use crate::secrets::Secrets;

/// What the use cases work with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) clients: Clients,
    pub(crate) clock: SharedClock,
    pub(crate) keyring: Keyring,
    pub(crate) hashing: Hashing,
    pub(crate) secrets: Secrets,
    pub(crate) revocations: Arc<Feed>,
    pub(crate) verifier: TokenVerifier,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// What a session is used with.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// The signed token.
    pub(crate) access: SecretString,
    /// The opaque token for the next pair.
    pub(crate) refresh: SecretString,
    /// The session.
    pub(crate) session: SessionId,
    /// Whose it is.
    pub(crate) user: UserId,
}

impl App {
    /// Signs the access token that a session has from its `issued_at` on.
    fn access_token(&self, session: &Session, subject: &Subject, rights: Rights) -> Result<SecretString, Error> {
        let claims = Claims {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            user: session.user,
            company: session.company,
            session: session.id,
            email: subject.email.clone(),
            roles: rights.roles,
            iam_position: rights.position,
            token: new_uuid(),
            issued_at: session.issued_at,
            not_before: session.issued_at,
            expires_at: session.issued_at + ACCESS,
            authenticated_at: session.authenticated_at,
        };
        self.keyring.sign(&claims).map(SecretString::from)
    }

    /// Wakes those who wait for what was just committed.
    fn committed(&self, revoked: bool) {
        self.outbox.wake();
        if revoked {
            self.revocations.committed();
        }
    }
}

/// Describes who and what caused the events of a call without a caller.
fn origin(client: &Client, company: CompanyId, actor: Actor) -> Origin {
    Origin {
        client_address: client.address,
        user_agent: client.user_agent.clone(),
        request_id: Some(client.request_id),
        ..Origin::new(company, actor)
    }
}

/// When the last access token has expired that was issued at `issued_until` or before.
fn forget_at(issued_until: DateTime<Utc>) -> DateTime<Utc> {
    issued_until + ACCESS
}
