//! Time series on PostgreSQL's own range partitions.
//!
//! A day's partition is made as a table of its own and then attached, which blocks readers and writers of the series for
//! less long than `PARTITION OF`. Nothing is ever deleted row by row, so an append-only trigger on the series is no
//! obstacle: the default partition is replaced by one that holds only the rows that stay.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{Chunk, TimeSeries, TimeSeriesError};
use crate::Transaction;

/// A request for more days than this is a mistake.
const MOST_DAYS: usize = 4_000;

pub(super) async fn ensure(series: &TimeSeries, from: NaiveDate, upto: NaiveDate) -> Result<usize, TimeSeriesError> {
    let mut tx = begin(series).await?;
    let existing: BTreeSet<NaiveDate> = list(&mut tx, series).await?.into_iter().map(|(day, _)| day).collect();
    let missing: Vec<NaiveDate> =
        from.iter_days().take_while(|day| *day <= upto).take(MOST_DAYS).filter(|day| !existing.contains(day)).collect();
    let default_exists = exists(&mut tx, &default_name(series)).await?;
    let strays = match (missing.first(), missing.last()) {
        (Some(first), Some(last)) if default_exists => {
            has_rows_between(&mut tx, series, Some(start(*first)), start(next(*last))).await?
        }
        _ => false,
    };
    let former = if strays { Some(detach_default(&mut tx, series).await?) } else { None };
    for day in &missing {
        attach_day(&mut tx, series, *day).await?;
    }
    if strays || !default_exists {
        attach_default(&mut tx, series).await?;
    }
    if let Some(former) = former {
        put_back(&mut tx, series, &former, None).await?;
    }
    tx.commit().await?;
    Ok(missing.len())
}

/// Lists the days that end at or before `before`, oldest first.
pub(super) async fn days(series: &TimeSeries, before: DateTime<Utc>) -> Result<Vec<Chunk>, TimeSeriesError> {
    let mut connection = series.db.primary().acquire().await?;
    let chunks = list(&mut connection, series).await?.into_iter().map(|(day, name)| Chunk {
        from: start(day),
        until: start(next(day)),
        name,
    });
    let mut expired: Vec<Chunk> = chunks.filter(|chunk| chunk.until <= before).collect();
    expired.sort();
    Ok(expired)
}

pub(super) async fn drop_day(series: &TimeSeries, chunk: &Chunk) -> Result<(), TimeSeriesError> {
    let mut tx = begin(series).await?;
    // IF EXISTS: another replica may have been faster.
    execute(&mut tx, format!("DROP TABLE IF EXISTS {}", chunk.name)).await?;
    tx.commit().await?;
    Ok(())
}

/// Drops the rows of the default partition that are older than `before`; returns how many.
pub(super) async fn drop_strays(series: &TimeSeries, before: DateTime<Utc>) -> Result<u64, TimeSeriesError> {
    let mut tx = begin(series).await?;
    if !has_rows_between(&mut tx, series, None, before).await? {
        return Ok(0);
    }
    let former = detach_default(&mut tx, series).await?;
    attach_default(&mut tx, series).await?;
    let dropped = put_back(&mut tx, series, &former, Some(before)).await?;
    tx.commit().await?;
    Ok(dropped)
}

/// Begins a change of the series' parts: one at a time, and with more patience than a request has.
async fn begin(series: &TimeSeries) -> Result<Transaction, TimeSeriesError> {
    let mut tx = series.db.begin().await?;
    execute(&mut tx, "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '60s'".to_owned()).await?;
    // no company: the parts of a series are everybody's
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(series.lock()).execute(&mut *tx).await?;
    Ok(tx)
}

/// Lists the attached days with their partitions' names.
async fn list(connection: &mut PgConnection, series: &TimeSeries) -> Result<Vec<(NaiveDate, String)>, TimeSeriesError> {
    // no company: asks the catalogue
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
         WHERE inhparent = to_regclass($1) ORDER BY part.relname",
    )
    .bind(series.table.name)
    .fetch_all(connection)
    .await?;
    let prefix = format!("{}_p", series.table.name);
    Ok(names
        .into_iter()
        .filter_map(|name| {
            let day = NaiveDate::parse_from_str(name.strip_prefix(&prefix)?, "%Y%m%d").ok()?;
            Some((day, name))
        })
        .collect())
}

async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool, TimeSeriesError> {
    // no company: asks the catalogue
    Ok(sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(connection).await?)
}

async fn has_rows_between(
    connection: &mut PgConnection,
    series: &TimeSeries,
    from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Result<bool, TimeSeriesError> {
    let default = default_name(series);
    if !exists(connection, &default).await? {
        return Ok(false);
    }
    let column = series.table.time_column;
    // no company: moves rows of every company alike
    let sql = format!(
        "SELECT EXISTS (SELECT FROM {default} WHERE ($1::timestamptz IS NULL OR {column} >= $1) AND {column} < $2)"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(from).bind(until).fetch_one(connection).await?)
}

async fn attach_day(connection: &mut PgConnection, series: &TimeSeries, day: NaiveDate) -> Result<(), TimeSeriesError> {
    let table = series.table.name;
    let part = format!("{table}_p{}", day.format("%Y%m%d"));
    execute(connection, format!("CREATE TABLE {part} (LIKE {table} INCLUDING ALL)")).await?;
    let (from, until) = (day, next(day));
    let bounds = format!("FROM ('{from} 00:00:00+00') TO ('{until} 00:00:00+00')");
    execute(connection, format!("ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES {bounds}")).await?;
    guard(connection, series, &part).await
}

async fn attach_default(connection: &mut PgConnection, series: &TimeSeries) -> Result<(), TimeSeriesError> {
    let (table, default) = (series.table.name, default_name(series));
    execute(connection, format!("CREATE TABLE {default} (LIKE {table} INCLUDING ALL)")).await?;
    execute(connection, format!("ALTER TABLE {table} ATTACH PARTITION {default} DEFAULT")).await?;
    guard(connection, series, &default).await
}

/// Gives a partition the series' own triggers on TRUNCATE, which, unlike those on rows, it does not inherit.
async fn guard(connection: &mut PgConnection, series: &TimeSeries, part: &str) -> Result<(), TimeSeriesError> {
    // no company: asks the catalogue; in tgtype 2 means BEFORE and 32 TRUNCATE
    let triggers: Vec<String> = sqlx::query_scalar(
        "SELECT format('CREATE TRIGGER %I %s TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION %s()', tgname,
                       CASE WHEN tgtype::integer & 2 <> 0 THEN 'BEFORE' ELSE 'AFTER' END, $2::text, tgfoid::regproc)
         FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgtype::integer & 32 <> 0
         ORDER BY tgname",
    )
    .bind(series.table.name)
    .bind(part)
    .fetch_all(&mut *connection)
    .await?;
    for trigger in triggers {
        execute(connection, trigger).await?;
    }
    Ok(())
}

/// Takes the default partition out of the series and out of its name; returns its new name.
async fn detach_default(connection: &mut PgConnection, series: &TimeSeries) -> Result<String, TimeSeriesError> {
    let (table, default) = (series.table.name, default_name(series));
    let former = format!("{table}_former");
    execute(connection, format!("ALTER TABLE {table} DETACH PARTITION {default}")).await?;
    execute(connection, format!("ALTER TABLE {default} RENAME TO {former}")).await?;
    // Its indexes keep their names, which the next default partition's would choose too; PostgreSQL numbers those then.
    Ok(former)
}

/// Inserts the rows of the former default partition that stay, and drops it; returns how many rows went.
async fn put_back(
    connection: &mut PgConnection,
    series: &TimeSeries,
    former: &str,
    before: Option<DateTime<Utc>>,
) -> Result<u64, TimeSeriesError> {
    let (table, column) = (series.table.name, series.table.time_column);
    // no company: moves rows of every company alike
    let count = format!("SELECT count(*) FROM {former} WHERE {column} < $1");
    let insert = format!("INSERT INTO {table} SELECT * FROM {former} WHERE $1::timestamptz IS NULL OR {column} >= $1");
    let dropped: i64 = sqlx::query_scalar(AssertSqlSafe(count)).bind(before).fetch_one(&mut *connection).await?;
    sqlx::query(AssertSqlSafe(insert)).bind(before).execute(&mut *connection).await?;
    execute(connection, format!("DROP TABLE {former}")).await?;
    Ok(dropped.unsigned_abs())
}

/// Runs a statement on partitions. Names come from [`super::Table`], which takes plain names only, and from the catalogue.
async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), TimeSeriesError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

fn default_name(series: &TimeSeries) -> String {
    format!("{}_default", series.table.name)
}

fn start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn next(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX)
}
