//! Time series, on TimescaleDB where the server has it and on native partitions where it does not.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::future::join_all;
use taskman_ids::new_uuid;
use taskman_postgres::Db;
use taskman_postgres::time_series::{Backend, Maintained, Retention, Table, TimeSeries, TimeSeriesError};
use uuid::Uuid;

use crate::databases::migrated;

const READINGS: &str = include_str!("../../ddl/time_series.sql");
const EXTENSION: &str = "
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN CREATE EXTENSION timescaledb; END IF;
    END $$";
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
    let db = migrated(&[EXTENSION, READINGS, APPEND_ONLY]).await;
    let series = TimeSeries::detect(&db, TABLE).await.unwrap();
    (db, series)
}

/// How many days a call has to make: chunks come by themselves.
fn made(series: &TimeSeries, days: usize) -> usize {
    if series.backend() == Backend::Partitions { days } else { 0 }
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

/// Lists the day of the part that each row is in, by time; none for rows outside of all days.
async fn places(db: &Db, series: &TimeSeries) -> Vec<Option<NaiveDate>> {
    let parts = series.expired(at("9999-01-01T00:00:00Z")).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("SELECT tableoid::regclass::text FROM readings ORDER BY occurred_at")
        .fetch_all(db.primary())
        .await
        .unwrap();
    let day_of = |table: String| parts.iter().find(|part| part.name == table).map(|part| part.from.date_naive());
    tables.into_iter().map(day_of).collect()
}

async fn days(series: &TimeSeries) -> Vec<NaiveDate> {
    let all = series.expired(at("9999-01-01T00:00:00Z")).await.unwrap();
    all.into_iter().map(|chunk| chunk.from.date_naive()).collect()
}

#[tokio::test]
async fn rows_land_in_the_partition_of_their_utc_day() {
    let (db, series) = series().await;
    assert_eq!(series.ensure(day("2026-11-20"), day("2026-11-21")).await.unwrap(), made(&series, 2));
    for when in
        ["2026-11-20T00:00:00Z", "2026-11-20T23:59:59.999999Z", "2026-11-21T00:30:00+01:00", "2026-11-21T00:00:00Z"]
    {
        assert_eq!(insert(&db, new_uuid(), when).await, 1);
    }
    let (first, second) = (Some(day("2026-11-20")), Some(day("2026-11-21")));
    assert_eq!(places(&db, &series).await, [first, first, first, second]);
}

#[tokio::test]
async fn rows_older_or_newer_than_every_day_have_a_place_too() {
    let (db, series) = series().await;
    series.ensure(day("2026-11-20"), day("2026-11-21")).await.unwrap();
    insert(&db, new_uuid(), "2026-11-19T23:59:59Z").await;
    insert(&db, new_uuid(), "2026-11-22T00:00:00Z").await;
    let (before, after) = match series.backend() {
        Backend::Partitions => (None, None),
        Backend::Hypertable => (Some(day("2026-11-19")), Some(day("2026-11-22"))),
    };
    assert_eq!(places(&db, &series).await, [before, after]);
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
    assert_eq!(series.ensure(day("2026-11-20"), day("2026-11-22")).await.unwrap(), made(&series, 2));
    assert_eq!(places(&db, &series).await[1], Some(day("2026-11-21")));
    let refused = sqlx::query("DELETE FROM readings").execute(db.primary()).await;
    assert!(refused.is_err(), "every partition, also a new default one, is append-only");
}

#[tokio::test]
async fn retention_drops_whole_days_and_stray_rows_and_nothing_younger() {
    let (db, series) = series().await;
    let retention = Retention { keep: Some(90), ahead: 3, ..Retention::default() };
    let start = at("2026-08-01T05:00:00Z");
    assert_eq!(series.maintain(start, retention).await.unwrap().created, made(&series, 4));
    insert(&db, new_uuid(), "2026-07-01T00:00:00Z").await;
    for when in ["2026-08-01T23:59:59Z", "2026-08-02T00:00:00Z", "2026-10-01T00:00:00Z"] {
        insert(&db, new_uuid(), when).await;
    }
    let later = start + TimeDelta::days(91);
    let done = series.maintain(later, retention).await.unwrap();
    assert_eq!(done.created, made(&series, 4));
    let expected = if series.backend() == Backend::Partitions { (1, 1) } else { (2, 0) };
    assert_eq!((done.dropped, done.dropped_stray_rows), expected);
    let places = places(&db, &series).await;
    assert_eq!((places.len(), places[0]), (2, Some(day("2026-08-02"))), "90 days are kept");
    assert_eq!(series.maintain(later, retention).await.unwrap(), Maintained::default(), "nothing is left to do");
    assert_eq!(days(&series).await.first(), Some(&day("2026-08-02")));
}

#[tokio::test]
async fn without_a_limit_everything_is_kept() {
    let (db, series) = series().await;
    series.ensure(day("2020-01-01"), day("2020-01-01")).await.unwrap();
    insert(&db, new_uuid(), "2020-01-01T00:00:00Z").await;
    let forever = Retention { keep: None, ..Retention::default() };
    assert_eq!(series.maintain(at("2026-11-21T00:00:00Z"), forever).await.unwrap().dropped, 0);
    assert_eq!(places(&db, &series).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_maintain_at_once_do_not_disturb_each_other() {
    let (db, series) = series().await;
    let now = at("2026-11-21T12:00:00Z");
    let outcomes = join_all((0..4).map(|_| series.maintain(now, Retention::default()))).await;
    let created: usize = outcomes.into_iter().map(|outcome| outcome.unwrap().created).sum();
    assert_eq!(created, made(&series, 8), "each day is made by one of them");
    assert_eq!(days(&series).await.len(), made(&series, 8));
    drop(db);
}

#[tokio::test]
async fn an_old_part_is_listed_before_it_is_dropped() {
    let (db, series) = series().await;
    series.ensure(day("2026-11-18"), day("2026-11-21")).await.unwrap();
    for when in ["2026-11-18T12:00:00Z", "2026-11-19T12:00:00Z", "2026-11-20T12:00:00Z"] {
        insert(&db, new_uuid(), when).await;
    }
    let expired = series.expired(at("2026-11-20T00:00:00Z")).await.unwrap();
    assert_eq!(expired.len(), 2);
    assert_eq!((expired[0].from, expired[0].until), (at("2026-11-18T00:00:00Z"), at("2026-11-19T00:00:00Z")));
    series.drop_chunk(&expired[0]).await.unwrap();
    series.drop_chunk(&expired[0]).await.unwrap();
    assert_eq!(places(&db, &series).await, [Some(day("2026-11-19")), Some(day("2026-11-20"))]);
}

#[tokio::test]
async fn a_plain_table_is_no_time_series() {
    let db = migrated(&["CREATE TABLE plain (occurred_at timestamptz)"]).await; // the extension is not in this database
    for name in ["plain", "nowhere"] {
        let refused = TimeSeries::detect(&db, Table { name, ..TABLE }).await.unwrap_err();
        assert!(matches!(refused, TimeSeriesError::NotATimeSeries(_)), "{refused}");
    }
    let refused = TimeSeries::detect(&db, Table { name: "a; DROP TABLE b", ..TABLE }).await.unwrap_err();
    assert!(matches!(refused, TimeSeriesError::Name(_)));
}
