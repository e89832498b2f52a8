//! How far the two streams are.

/// One of the two streams that decisions rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Roles, policies and who holds them, from iam-admin.
    Iam,
    /// Users and the state of their companies, from the user service.
    User,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Iam, Self::User];

    /// Returns the name in the store, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::User => "user",
        }
    }
}

/// A position of each stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Positions {
    /// Of [`Stream::Iam`].
    pub iam: i64,
    /// Of [`Stream::User`].
    pub user: i64,
}

impl Positions {
    /// Returns the position of one stream.
    pub const fn of(self, stream: Stream) -> i64 {
        match stream {
            Stream::Iam => self.iam,
            Stream::User => self.user,
        }
    }
}
