//! Events of `user.events`: companies and their users.
//!
//! Each carries the whole state that others project, so that a newer one can replace an older one.

use taskman_ids::{CompanyId, LinkRequestId, UserId};

use crate::Aggregate;
use crate::declare::{event, record, words};

words! {
    /// The life of a company.
    pub enum CompanyStatus {
        /// Signed up, its roles are not there yet.
        Provisioning,
        /// Open.
        Active,
        /// Shut by an operator.
        Suspended,
    }
}

words! {
    /// How a user came to be.
    pub enum UserOrigin {
        /// By signing up a company.
        Signup,
        /// By being created by somebody else.
        Invited,
    }
}

record! {
    /// A company as others know it.
    pub struct Company {
        /// Its id.
        pub id: CompanyId,
        /// Its name.
        pub name: String,
        /// Its short name.
        pub slug: String,
        /// Whether its users can log in.
        pub status: CompanyStatus,
        /// From 1, one more with each change.
        pub version: i32,
    }
}

record! {
    /// A user as others know them.
    pub struct User {
        /// Their id.
        pub id: UserId,
        /// Their company.
        pub company_id: CompanyId,
        /// Their address.
        pub email: String => personal,
        /// Their name in the company.
        pub username: String => personal,
        /// Their given name; empty when nobody said.
        pub first_name: String => personal,
        /// Their family name; empty when nobody said.
        pub last_name: String => personal,
        /// Their department; empty when nobody said.
        pub department: String,
        /// Where they work; empty when nobody said.
        pub location: String,
        /// Their language, a BCP 47 tag.
        pub locale: String,
        /// Their time zone, an IANA name.
        pub timezone: String,
        /// Whether they can log in and be assigned.
        pub active: bool,
        /// From 1, one more with each change.
        pub version: i32,
    }
}

event! {
    "company.created", User, about |event| Aggregate::versioned("companies", event.company.id, event.company.version);
    /// A company signed up.
    pub struct CompanyCreated {
        /// The company.
        pub company: Company,
        /// Its first user, who administers it.
        pub admin_user_id: UserId,
    }
}

event! {
    "user.created", User, about |event| Aggregate::versioned("users", event.user.id, event.user.version);
    /// A user was created.
    pub struct UserCreated {
        /// The user.
        pub user: User,
        /// How.
        pub origin: UserOrigin,
        /// What to mint the link to a first password with; only for those who are invited.
        pub link_request_id: Option<LinkRequestId>,
    }
}

event! {
    "user.activated", User, about |event| Aggregate::versioned("users", event.user.id, event.user.version);
    /// A user can log in again.
    pub struct UserActivated {
        /// The user.
        pub user: User,
        /// What is different.
        pub changed_fields: Vec<String>,
    }
}

event! {
    "user.deactivated", User, about |event| Aggregate::versioned("users", event.user.id, event.user.version);
    /// A user can no longer log in.
    pub struct UserDeactivated {
        /// The user.
        pub user: User,
        /// What is different.
        pub changed_fields: Vec<String>,
        /// Why, in the words of who did it.
        pub reason: Option<String> => personal,
    }
}
