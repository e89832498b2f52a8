//! Time series on TimescaleDB's hypertables.
//!
//! Our own job does what TimescaleDB's policies would do, so that both back ends behave alike and an Apache-licensed
//! build, which has no compression, works too.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{Chunk, TimeSeries, TimeSeriesError};

/// Turns the plain table into a hypertable with one chunk per day; harmless when it is one.
pub(super) async fn ensure(series: &TimeSeries) -> Result<(), TimeSeriesError> {
    let mut tx = series.db.begin().await?;
    // no company: the parts of a series are everybody's
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(series.lock()).execute(&mut *tx).await?;
    sqlx::query(
        "SELECT create_hypertable($1::regclass, $2::name, chunk_time_interval => INTERVAL '1 day',
                                  if_not_exists => true, migrate_data => true)",
    )
    .bind(series.table.name)
    .bind(series.table.time_column)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Lists the chunks that end at or before `before`, oldest first.
pub(super) async fn chunks(series: &TimeSeries, before: DateTime<Utc>) -> Result<Vec<Chunk>, TimeSeriesError> {
    // no company: asks the catalogue
    let rows: Vec<(String, DateTime<Utc>, DateTime<Utc>)> = sqlx::query_as(
        "SELECT format('%I.%I', chunk_schema, chunk_name), range_start, range_end
         FROM timescaledb_information.chunks
         WHERE hypertable_name = $1 AND range_end <= $2 ORDER BY range_start",
    )
    .bind(series.table.name)
    .bind(before)
    .fetch_all(series.db.primary())
    .await?;
    Ok(rows.into_iter().map(|(name, from, until)| Chunk { from, until, name }).collect())
}

pub(super) async fn drop_chunk(series: &TimeSeries, chunk: &Chunk) -> Result<(), TimeSeriesError> {
    // no company: retention is everybody's
    sqlx::query("SELECT drop_chunks($1::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)")
        .bind(series.table.name)
        .bind(chunk.until)
        .bind(chunk.from)
        .execute(series.db.primary())
        .await?;
    Ok(())
}

/// Compresses the chunks that lie wholly before `before`; returns how many.
pub(super) async fn compress(series: &TimeSeries, before: DateTime<Utc>) -> Result<usize, TimeSeriesError> {
    // no company: asks the server
    let licence: String =
        sqlx::query_scalar("SELECT current_setting('timescaledb.license')").fetch_one(series.db.primary()).await?;
    if licence == "apache" {
        return Ok(0);
    }
    let (table, column) = (series.table.name, series.table.time_column);
    // no company: asks the catalogue
    let enabled: bool = sqlx::query_scalar(
        "SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = $1",
    )
    .bind(table)
    .fetch_one(series.db.primary())
    .await?;
    if !enabled {
        let enable = format!(
            "ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = 'company_id',
                                      timescaledb.compress_orderby = '{column} DESC')"
        );
        sqlx::raw_sql(AssertSqlSafe(enable)).execute(series.db.primary()).await?;
    }
    // One chunk at a time, each in a statement of its own, so that none runs into the statement timeout for the others.
    let waiting: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
         WHERE hypertable_name = $1 AND range_end <= $2 AND NOT is_compressed ORDER BY range_start",
    )
    .bind(table)
    .bind(before)
    .fetch_all(series.db.primary())
    .await?;
    for chunk in &waiting {
        sqlx::query("SELECT compress_chunk($1::regclass, if_not_compressed => true)")
            .bind(chunk)
            .execute(series.db.primary())
            .await?;
    }
    Ok(waiting.len())
}
