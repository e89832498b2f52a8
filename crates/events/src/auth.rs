//! Events of `auth.events`: logins, sessions and passwords.

use std::net::IpAddr;

use taskman_ids::{LinkRequestId, SessionId, UserId};
use uuid::Uuid;

use crate::Aggregate;
use crate::declare::{event, words};

words! {
    /// How somebody proved who they are.
    pub enum LoginMethod {
        /// By password.
        Password,
    }
}

words! {
    /// Why a login failed. The client is never told; people who may read the audit trail are.
    pub enum LoginFailure {
        /// Nobody has this address.
        UnknownUser,
        /// The password is wrong, empty or missing.
        WrongPassword,
        /// The user is deactivated.
        UserInactive,
        /// The company is not open.
        CompanyInactive,
        /// Too many attempts.
        Throttled,
    }
}

words! {
    /// Why a session ended before its time.
    pub enum RevocationReason {
        /// The user ended it from another session.
        ByUser,
        /// A refresh token was used twice.
        TokenReuse,
        /// The password changed.
        PasswordChanged,
        /// The user was deactivated.
        UserDeactivated,
        /// The company was suspended.
        CompanySuspended,
    }
}

event! {
    "auth.login.success", Auth, about |event| Aggregate::unversioned("sessions", event.session_id);
    /// A user logged in.
    pub struct LoginSuccess {
        /// Who.
        pub user_id: UserId,
        /// The session that began.
        pub session_id: SessionId,
        /// From which address.
        pub ip: Option<IpAddr> => personal,
        /// With which program.
        pub user_agent: Option<String> => personal,
        /// How.
        pub method: LoginMethod,
    }
}

event! {
    "auth.login.failed", Auth,
    about |event| Aggregate::unversioned("users", event.user_id.map_or(Uuid::nil(), Uuid::from));
    /// A login was refused. Where nobody has the address, it belongs to [`NO_COMPANY`](crate::NO_COMPANY).
    pub struct LoginFailed {
        /// A keyed hash of the address that was tried, so that attempts can be counted without storing it.
        pub email_hash: String => personal,
        /// Whose address it is, where somebody has it.
        pub user_id: Option<UserId>,
        /// From which address.
        pub ip: Option<IpAddr> => personal,
        /// Why.
        pub reason: LoginFailure,
    }
}

event! {
    "auth.logout", Auth, about |event| Aggregate::unversioned("sessions", event.session_id);
    /// A user logged out.
    pub struct Logout {
        /// Who.
        pub user_id: UserId,
        /// The session that ended.
        pub session_id: SessionId,
    }
}

event! {
    "auth.token.refreshed", Auth, about |event| Aggregate::unversioned("sessions", event.session_id);
    /// A session got a new access token.
    pub struct TokenRefreshed {
        /// Whose session.
        pub user_id: UserId,
        /// Which session.
        pub session_id: SessionId,
    }
}

event! {
    "auth.password.reset", Auth, about |event| Aggregate::unversioned("users", event.user_id);
    /// A user set a new password through a link.
    pub struct PasswordReset {
        /// Who.
        pub user_id: UserId,
        /// The request that the link came from.
        pub link_request_id: LinkRequestId,
    }
}

event! {
    "auth.password.reset_requested", Auth, about |event| Aggregate::unversioned("users", event.user_id);
    /// Somebody asked for a link to reset a password. The link itself is made when the mail is sent.
    pub struct PasswordResetRequested {
        /// Whose password.
        pub user_id: UserId,
        /// What to mint the link with.
        pub link_request_id: LinkRequestId,
    }
}

event! {
    "auth.session.revoked", Auth, about |event| Aggregate::unversioned("sessions", event.session_id);
    /// A session was ended before its time.
    pub struct SessionRevoked {
        /// Whose session.
        pub user_id: UserId,
        /// Which session.
        pub session_id: SessionId,
        /// Why.
        pub reason: RevocationReason,
    }
}

event! {
    "auth.token.reuse_detected", Auth, about |event| Aggregate::unversioned("sessions", event.session_id);
    /// A refresh token was used a second time, which means that two parties hold it; the session is revoked.
    pub struct TokenReuseDetected {
        /// Whose session.
        pub user_id: UserId,
        /// Which session.
        pub session_id: SessionId,
        /// From which address it came the second time.
        pub ip: Option<IpAddr> => personal,
    }
}
