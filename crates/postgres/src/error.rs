//! What can go wrong in the database, as far as a service can tell the cases apart.

use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use taskman_errors::{Failure, Kind};

/// The sort of a violated constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// Another row has this value already.
    Unique,
    /// The row that is referred to does not exist, or is still referred to.
    ForeignKey,
    /// A condition on the row's values does not hold.
    Check,
    /// Another row overlaps.
    Exclusion,
    /// A value is missing.
    NotNull,
}

/// A failure of a statement, a transaction or a connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is away, starting, shutting down, or out of connections, memory or disk.
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// The statement timeout, the lock timeout or the caller's deadline passed.
    #[error("the database did not answer in time")]
    Timeout,
    /// A constraint was violated.
    #[error("the constraint {name} was violated")]
    Constraint {
        /// The constraint's name; for [`ConstraintKind::NotNull`] the column's.
        name: String,
        /// What sort of constraint it is.
        kind: ConstraintKind,
    },
    /// Another transaction was in the way (serialization failure or deadlock); the whole transaction may be repeated.
    #[error("the transaction was in conflict with another one")]
    Serialization,
    /// A row that must exist does not.
    #[error("no such row")]
    NotFound,
    /// A fault of ours: wrong SQL, wrong types, wrong configuration.
    #[error("the database refused a statement")]
    Other(#[source] Cause),
}

impl Error {
    /// Returns the name of the violated constraint.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Says whether the unique constraint or index `name` was violated.
    pub fn is_unique(&self, name: &str) -> bool {
        matches!(self, Self::Constraint { name: violated, kind: ConstraintKind::Unique } if violated == name)
    }

    /// Says whether the foreign key `name` was violated.
    pub fn is_foreign_key(&self, name: &str) -> bool {
        matches!(self, Self::Constraint { name: violated, kind: ConstraintKind::ForeignKey } if violated == name)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::RowNotFound => Self::NotFound,
            E::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(refusal) => from_refusal(refusal).unwrap_or_else(|class| match class {
                    Class::Unavailable => Self::Unavailable(Cause(error)),
                    Class::Other => Self::Other(Cause(error)),
                }),
                None => Self::Other(Cause(error)),
            },
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
                Self::Unavailable(Cause(error))
            }
            _ => Self::Other(Cause(error)),
        }
    }
}

enum Class {
    Unavailable,
    Other,
}

/// Reads the SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn from_refusal(refusal: &PgDatabaseError) -> Result<Error, Class> {
    let constraint =
        |kind, name: Option<&str>| Ok(Error::Constraint { name: name.unwrap_or("unnamed").to_owned(), kind });
    match refusal.code() {
        "23505" => constraint(ConstraintKind::Unique, refusal.constraint()),
        "23503" | "23001" => constraint(ConstraintKind::ForeignKey, refusal.constraint()),
        "23514" => constraint(ConstraintKind::Check, refusal.constraint()),
        "23P01" => constraint(ConstraintKind::Exclusion, refusal.constraint()),
        "23502" => constraint(ConstraintKind::NotNull, refusal.column()),
        "40001" | "40P01" => Ok(Error::Serialization),
        // query_canceled (statement timeout), lock_not_available, the idle-in-transaction and transaction timeouts
        "57014" | "55P03" | "25P03" | "25P04" => Ok(Error::Timeout),
        // read_only_sql_transaction: the primary became a replica; 57P0x: it shuts down or starts
        "25006" | "57P01" | "57P02" | "57P03" | "57P05" => Err(Class::Unavailable),
        // connection exceptions, insufficient resources, system errors
        code if ["08", "53", "58"].iter().any(|class| code.starts_with(class)) => Err(Class::Unavailable),
        _ => Err(Class::Other),
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Unavailable(_) | Self::Serialization => Kind::Unavailable,
            Self::Timeout => Kind::Timeout,
            Self::NotFound => Kind::NotFound,
            // A violation that the service did not give a meaning to is a hole in the service.
            Self::Constraint { .. } | Self::Other(_) => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) | Self::Serialization => "UNAVAILABLE",
            Self::Timeout => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::Constraint { .. } | Self::Other(_) => "INTERNAL",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(_) => Some(Duration::from_secs(1)),
            Self::Serialization => Some(Duration::from_millis(50)),
            _ => None,
        }
    }
}

/// The driver's error without the server's detail and context lines, which repeat values of the row.
pub struct Cause(pub(crate) sqlx::Error);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
                Some(refusal) => write!(f, "{} (SQLSTATE {})", refusal.message(), refusal.code()),
                None => f.write_str(error.message()),
            },
            other => std::fmt::Display::fmt(other, f),
        }
    }
}

impl std::fmt::Debug for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cause({self})")
    }
}

impl std::error::Error for Cause {}
