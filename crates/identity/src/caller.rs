//! Who makes a call: a user with a token, a service of the fleet, or nobody known.

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskman_ids::{CompanyId, RequestId, SessionId, UserId};

/// Where a call came from. For records and limits, never for decisions about permissions.
///
/// `Debug` shows the request id only: addresses do not belong in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address of the client, as the edge saw it.
    pub address: Option<IpAddr>,
    /// What the client calls itself; whoever reads it from a header cuts it with [`Client::new`].
    pub user_agent: Option<String>,
    /// The request, on its way through the fleet.
    pub request_id: RequestId,
}

impl Client {
    /// The longest user agent that is kept, in bytes.
    pub const MAX_USER_AGENT: usize = 256;

    /// Describes a client; a longer user agent is cut at [`Client::MAX_USER_AGENT`].
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>, request_id: RequestId) -> Self {
        let user_agent = user_agent.map(|text| {
            let end = text.floor_char_boundary(Self::MAX_USER_AGENT);
            text[..end].to_owned()
        });
        Self { address, user_agent, request_id }
    }

    /// Describes a client of which nothing but the request is known.
    pub const fn unknown(request_id: RequestId) -> Self {
        Self { address: None, user_agent: None, request_id }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// A user whose access token was verified.
///
/// `Debug` leaves out the e-mail address and the client's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The user's company: the tenant of the call.
    pub company: CompanyId,
    /// The login session.
    pub session: SessionId,
    /// The user's e-mail address when the token was issued.
    pub email: String,
    /// The names of the roles when the token was issued; informative, no decision reads them.
    pub roles: Vec<String>,
    /// The state of the company's rights that the user has seen; decisions must be at least that new.
    pub iam_position: i64,
    /// When the token was issued, in microseconds; revocations compare with it.
    pub issued_at: DateTime<Utc>,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// Where the call came from.
    pub client: Client,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("user", &self.user)
            .field("company", &self.company)
            .field("session", &self.session)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Whoever makes a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// A user with a verified token.
    User(Caller),
    /// A service of the fleet, on its own account.
    Service {
        /// The service's name, such as `task`.
        name: String,
        /// Where the call that led to this one came from.
        client: Client,
    },
    /// Nobody known; only PUBLIC methods take it.
    Anonymous {
        /// Where the call came from.
        client: Client,
    },
}

impl Principal {
    /// Returns where the call came from.
    pub const fn client(&self) -> &Client {
        match self {
            Self::User(caller) => &caller.client,
            Self::Service { client, .. } | Self::Anonymous { client } => client,
        }
    }

    /// Returns the user, where it is one.
    pub const fn caller(&self) -> Option<&Caller> {
        match self {
            Self::User(caller) => Some(caller),
            Self::Service { .. } | Self::Anonymous { .. } => None,
        }
    }

    /// Returns the name of the service, where it is one.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Service { name, .. } => Some(name),
            Self::User(_) | Self::Anonymous { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_holds_no_personal_data() {
        let client = Client::new(Some(IpAddr::from([192, 0, 2, 7])), Some("browser/1"), RequestId::new());
        let caller = Caller {
            user: UserId::new(),
            company: CompanyId::new(),
            session: SessionId::new(),
            email: "ada@example.com".to_owned(),
            roles: vec!["admin".to_owned()],
            iam_position: 1,
            issued_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            client,
        };
        let text = format!("{:?}", Principal::User(caller));
        for personal in ["ada", "example.com", "192.0.2.7", "browser"] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
    }

    #[test]
    fn a_long_user_agent_is_cut_between_characters() {
        let client = Client::new(None, Some(&"é".repeat(200)), RequestId::new());
        assert_eq!(client.user_agent.unwrap().len(), 256);
        let client = Client::new(None, Some(&format!("x{}", "é".repeat(200))), RequestId::new());
        assert_eq!(client.user_agent.unwrap().len(), 255);
    }

    #[test]
    fn a_principal_survives_json() {
        let client = Client::unknown(RequestId::new());
        for principal in
            [Principal::Service { name: "task".to_owned(), client: client.clone() }, Principal::Anonymous { client }]
        {
            let text = serde_json::to_string(&principal).unwrap();
            assert_eq!(serde_json::from_str::<Principal>(&text).unwrap(), principal);
        }
    }
}
