//! Time series: tables that are cut into days, so that old days are dropped as a whole and not row by row.
//!
//! Where TimescaleDB is installed such a table is a hypertable with one chunk per day; elsewhere it is partitioned by
//! range, one partition per UTC day made ahead of time, and a default partition takes what is older than the oldest or
//! further ahead. `ddl/time_series.sql` of this crate shows the migration that creates such a table for both.
//!
//! The primary key is `(time column, id)`: it removes duplicates because the time is the record's own and never `now()`.

mod hypertable;
mod partitions;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use taskman_errors::{Failure, Kind};

use crate::{Db, Error};

/// What the server cuts the table with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// TimescaleDB's chunks.
    Hypertable,
    /// PostgreSQL's own range partitions.
    Partitions,
}

/// A table and its time column. Like every table it has a `company_id`, by which compressed rows are grouped.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The table's name: lower-case letters and `_`, at most 40.
    pub name: &'static str,
    /// The `timestamptz` column that orders the table.
    pub time_column: &'static str,
}

/// How long days are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How many days ahead partitions are made.
    pub ahead: u32,
    /// After how many days a day is compressed, where the server can.
    pub compress_after: u32,
    /// After how many days a day is dropped; none keeps everything.
    pub keep: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { ahead: 7, compress_after: 7, keep: Some(90) }
    }
}

/// A part of the table: the rows of one span of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// The start of the span.
    pub from: DateTime<Utc>,
    /// The end of the span, which is not in it.
    pub until: DateTime<Utc>,
    /// The name of the table that holds the rows, as `regclass` prints it.
    pub name: String,
}

/// What [`TimeSeries::maintain`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Days that were made ahead.
    pub created: usize,
    /// Days that were compressed.
    pub compressed: usize,
    /// Days that were dropped.
    pub dropped: usize,
    /// Rows outside of all days that were dropped because of their age.
    pub dropped_stray_rows: u64,
}

/// Says why a table cannot be kept as a time series.
#[derive(Debug, thiserror::Error)]
pub enum TimeSeriesError {
    /// There is no such table, or it is neither partitioned nor on a server with TimescaleDB.
    #[error("the table {0} is not a time series")]
    NotATimeSeries(&'static str),
    /// The name of the table or column would need quoting.
    #[error("{0} is not a plain name")]
    Name(&'static str),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

impl From<sqlx::Error> for TimeSeriesError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure for TimeSeriesError {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            _ => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Database(error) => error.reason(),
            _ => "INTERNAL",
        }
    }
}

/// One table that is kept as a time series. The same calls work on both back ends.
#[derive(Debug, Clone)]
pub struct TimeSeries {
    db: Db,
    table: Table,
    backend: Backend,
}

impl TimeSeries {
    /// Looks at the table and the server, and chooses the back end.
    pub async fn detect(db: &Db, table: Table) -> Result<Self, TimeSeriesError> {
        for name in [table.name, table.time_column] {
            let plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if name.is_empty() || !plain {
                return Err(TimeSeriesError::Name(name));
            }
        }
        // no company: asks the catalogue
        let found: Option<(bool, bool)> = sqlx::query_as(
            "SELECT relkind = 'p', EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
             FROM pg_class WHERE oid = to_regclass($1)",
        )
        .bind(table.name)
        .fetch_optional(db.primary())
        .await?;
        let backend = match found {
            Some((true, _)) => Backend::Partitions,
            Some((false, true)) => Backend::Hypertable,
            _ => return Err(TimeSeriesError::NotATimeSeries(table.name)),
        };
        Ok(Self { db: db.clone(), table, backend })
    }

    /// Returns the back end in use.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Makes sure that every day from `from` to `upto` has its place; returns how many were made.
    ///
    /// Rows of these days that came earlier move to their place.
    pub async fn ensure(&self, from: NaiveDate, upto: NaiveDate) -> Result<usize, TimeSeriesError> {
        match self.backend {
            Backend::Hypertable => hypertable::ensure(self).await.map(|()| 0),
            Backend::Partitions => partitions::ensure(self, from, upto).await,
        }
    }

    /// Lists the parts that lie wholly before `before`, oldest first.
    ///
    /// They are what a retention may drop, after an archive has been written.
    pub async fn expired(&self, before: DateTime<Utc>) -> Result<Vec<Chunk>, TimeSeriesError> {
        match self.backend {
            Backend::Hypertable => hypertable::chunks(self, before).await,
            Backend::Partitions => partitions::days(self, before).await,
        }
    }

    /// Drops one part and its rows.
    pub async fn drop_chunk(&self, chunk: &Chunk) -> Result<(), TimeSeriesError> {
        match self.backend {
            Backend::Hypertable => hypertable::drop_chunk(self, chunk).await,
            Backend::Partitions => partitions::drop_day(self, chunk).await,
        }
    }

    /// Makes days ahead, compresses what has cooled down and drops what is too old. To be called a few times a day;
    /// replicas that call it at once do not disturb each other.
    pub async fn maintain(&self, now: DateTime<Utc>, retention: Retention) -> Result<Maintained, TimeSeriesError> {
        let today = now.date_naive();
        let ahead = today + TimeDelta::days(i64::from(retention.ahead));
        let mut done = Maintained { created: self.ensure(today, ahead).await?, ..Maintained::default() };
        if self.backend == Backend::Hypertable {
            done.compressed = hypertable::compress(self, start_of(today, retention.compress_after)).await?;
        }
        if let Some(keep) = retention.keep {
            let before = start_of(today, keep);
            for chunk in self.expired(before).await? {
                self.drop_chunk(&chunk).await?;
                done.dropped += 1;
            }
            if self.backend == Backend::Partitions {
                done.dropped_stray_rows = partitions::drop_strays(self, before).await?;
            }
        }
        Ok(done)
    }

    /// The number of the advisory lock that changes to this table's parts take one after the other.
    fn lock(&self) -> i64 {
        let hash = Sha256::digest(format!("time series {}", self.table.name));
        hash.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }
}

/// The first instant of the day that is `days` before `today`.
fn start_of(today: NaiveDate, days: u32) -> DateTime<Utc> {
    (today - TimeDelta::days(i64::from(days))).and_time(chrono::NaiveTime::MIN).and_utc()
}
