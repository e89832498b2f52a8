//! Time series on native partitions; with TimescaleDB on the server the same facts are asked of chunks.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use taskman_ids::new_uuid;
use taskman_postgres::Db;
use taskman_postgres::time_series::{Backend, Retention, Table, TimeSeries, TimeSeriesError};
use uuid::Uuid;

use crate::databases::migrated;

const READINGS: &str = include_str!("../../ddl/time_series.sql");
const APPEND_ONLY: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'append only'; END $$;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON readings FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE INDEX readings_company ON readings (company_id, occurred_at)";
const TABLE: Table = Table { name: "readings", time_column: "occurred_at" };

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn series() -> (Db, TimeSeries) {
    let db = migrated(&[READINGS, APPEND_ONLY]).await;
    let series = TimeSeries::detect(&db, TABLE).await.unwrap();
    (db, series)
}

async fn insert(db: &Db, id: Uuid, when: &str) -> u64 {
    sqlx::query("INSERT INTO readings VALUES ($1, $2, $3, 'x') ON CONFLICT (occurred_at, id) DO NOTHING")
        .bind(new_uuid())
        .bind(at(when))
        .bind(id)
        .execute(db.primary())
        .await
        .unwrap()
        .rows_affected()
}

/// Lists which partition each row is in, by time.
async fn places(db: &Db) -> Vec<String> {
    sqlx::query_scalar("SELECT tableoid::regclass::text FROM readings ORDER BY occurred_at")
        .fetch_all(db.primary())
        .await
        .unwrap()
}

async fn days(series: &TimeSeries) -> Vec<NaiveDate> {
    let all = series.expired(at("9999-01-01T00:00:00Z")).await.unwrap();
    all.into_iter().map(|chunk| chunk.from.date_naive()).collect()
}

#[tokio::test]
async fn rows_land_in_the_partition_of_their_utc_day() {
    let (db, series) = series().await;
    assert_eq!(series.backend(), Backend::Partitions);
    assert_eq!(series.ensure(day("2026-11-20"), day("2026-11-21")).await.unwrap(), 2);
    for when in
        ["2026-11-20T00:00:00Z", "2026-11-20T23:59:59.999999Z", "2026-11-21T00:30:00+01:00", "2026-11-21T00:00:00Z"]
    {
        assert_eq!(insert(&db, new_uuid(), when).await, 1);
    }
    let (first, second) = ("readings_p20261120", "readings_p20261121");
    assert_eq!(places(&db).await, [first, first, first, second]);
}

#[tokio::test]
async fn rows_older_or_newer_than_every_day_land_in_the_default_partition() {
    let (db, series) = series().await;
    series.ensure(day("2026-11-20"), day("2026-11-21")).await.unwrap();
    insert(&db, new_uuid(), "2026-11-19T23:59:59Z").await;
    insert(&db, new_uuid(), "2026-11-22T00:00:00Z").await;
    assert_eq!(places(&db).await, ["readings_default", "readings_default"]);
}

#[tokio::test]
async fn the_same_time_and_id_are_stored_once() {
    let (db, series) = series().await;
    series.ensure(day("2026-11-20"), day("2026-11-20")).await.unwrap();
    let id = new_uuid();
    for when in ["2026-11-20T10:00:00Z", "2020-01-01T10:00:00Z"] {
        assert_eq!(insert(&db, id, when).await, 1);
        assert_eq!(insert(&db, id, when).await, 0);
    }
}

#[tokio::test]
async fn early_rows_move_into_their_day_once_it_is_made() {
    let (db, series) = series().await;
    series.ensure(day("2026-11-20"), day("2026-11-20")).await.unwrap();
    for when in ["2026-11-01T10:00:00Z", "2026-11-21T10:00:00Z", "2026-12-24T10:00:00Z"] {
        insert(&db, new_uuid(), when).await;
    }
    assert_eq!(series.ensure(day("2026-11-20"), day("2026-11-22")).await.unwrap(), 2);
    assert_eq!(places(&db).await, ["readings_default", "readings_p20261121", "readings_default"]);
    let refused = sqlx::query("DELETE FROM readings").execute(db.primary()).await;
    assert!(refused.is_err(), "every partition, also a new default one, is append-only");
}

#[tokio::test]
async fn retention_drops_whole_days_and_stray_rows_and_nothing_younger() {
    let (db, series) = series().await;
    let retention = Retention { keep: Some(90), ahead: 3, ..Retention::default() };
    let start = at("2026-08-01T05:00:00Z");
    assert_eq!(series.maintain(start, retention).await.unwrap().created, 4);
    insert(&db, new_uuid(), "2026-07-01T00:00:00Z").await;
    for when in ["2026-08-01T23:59:59Z", "2026-08-02T00:00:00Z", "2026-10-01T00:00:00Z"] {
        insert(&db, new_uuid(), when).await;
    }
    let later = start + TimeDelta::days(91);
    let done = series.maintain(later, retention).await.unwrap();
    assert_eq!((done.created, done.dropped, done.dropped_stray_rows), (4, 1, 1));
    assert_eq!(places(&db).await, ["readings_p20260802", "readings_default"], "90 days are kept");
    assert_eq!(series.maintain(later, retention).await.unwrap(), Default::default(), "nothing is left to do");
    assert_eq!(days(&series).await.first(), Some(&day("2026-08-02")));
}

#[tokio::test]
async fn without_a_limit_everything_is_kept() {
    let (db, series) = series().await;
    series.ensure(day("2020-01-01"), day("2020-01-01")).await.unwrap();
    insert(&db, new_uuid(), "2020-01-01T00:00:00Z").await;
    let forever = Retention { keep: None, ..Retention::default() };
    assert_eq!(series.maintain(at("2026-11-21T00:00:00Z"), forever).await.unwrap().dropped, 0);
    assert_eq!(places(&db).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_maintain_at_once_do_not_disturb_each_other() {
    let (db, series) = series().await;
    let now = at("2026-11-21T12:00:00Z");
    let outcomes = futures::future::join_all((0..4).map(|_| series.maintain(now, Retention::default()))).await;
    let created: usize = outcomes.into_iter().map(|outcome| outcome.unwrap().created).sum();
    assert_eq!(created, 8, "each day is made by one of them");
    assert_eq!(days(&series).await.len(), 8);
    drop(db);
}

#[tokio::test]
async fn an_old_part_is_listed_before_it_is_dropped() {
    let (db, series) = series().await;
    series.ensure(day("2026-11-18"), day("2026-11-21")).await.unwrap();
    insert(&db, new_uuid(), "2026-11-18T12:00:00Z").await;
    let expired = series.expired(at("2026-11-20T00:00:00Z")).await.unwrap();
    assert_eq!(expired.len(), 2);
    assert_eq!((expired[0].from, expired[0].until), (at("2026-11-18T00:00:00Z"), at("2026-11-19T00:00:00Z")));
    series.drop_chunk(&expired[0]).await.unwrap();
    series.drop_chunk(&expired[0]).await.unwrap();
    assert!(places(&db).await.is_empty());
}

#[tokio::test]
async fn a_plain_table_is_no_time_series() {
    let db = migrated(&["CREATE TABLE plain (occurred_at timestamptz)"]).await;
    for name in ["plain", "nowhere"] {
        let refused = TimeSeries::detect(&db, Table { name, ..TABLE }).await.unwrap_err();
        assert!(matches!(refused, TimeSeriesError::NotATimeSeries(_)), "{refused}");
    }
    let refused = TimeSeries::detect(&db, Table { name: "a; DROP TABLE b", ..TABLE }).await.unwrap_err();
    assert!(matches!(refused, TimeSeriesError::Name(_)));
}
