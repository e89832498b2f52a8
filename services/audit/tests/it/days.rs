//! The table: append-only, and cut into days.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;

use crate::fixture::{World, started};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[tokio::test]
async fn the_database_refuses_to_change_the_past() {
    let world = World::start().await;
    world.tell(&started("Today"), MINUTE).await;
    world.tell(&started("Long ago"), TimeDelta::days(500)).await;
    world.stored(2).await;
    let truncate_today = world.past(TimeDelta::zero()).format("TRUNCATE audit_events_p%Y%m%d").to_string();
    for statement in [
        "UPDATE audit_events SET result = 'failure'",
        "UPDATE audit_events SET pii = NULL WHERE event_type = 'task.started'",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events_default",
        "TRUNCATE audit_events",
        "TRUNCATE audit_events_default",
        truncate_today.as_str(),
    ] {
        let refused = sqlx::query(AssertSqlSafe(statement.to_owned()));
        let refused = refused.execute(world.service.pool()).await.expect_err(statement);
        let message = refused.as_database_error().map(|error| error.message().to_owned());
        assert_eq!(message.as_deref(), Some("the audit trail is append-only"), "{statement}");
    }
    assert_eq!(world.rows(world.auditor.company).await, 2);
}

#[tokio::test]
async fn there_are_days_ahead_from_the_start() {
    let world = World::start().await;
    for days in [0, 7] {
        let day = world.past(TimeDelta::days(-days)).format("audit_events_p%Y%m%d").to_string();
        let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(&day)
            .fetch_one(world.service.pool())
            .await
            .unwrap();
        assert!(exists, "{day}");
    }
}

#[tokio::test]
async fn old_days_stay_until_the_operator_says_that_they_are_archived() {
    let world = World::start().await;
    world.tell(&started("Old"), TimeDelta::days(100)).await;
    let kept = world.tell(&started("Not so old"), TimeDelta::days(80)).await;
    world.stored(2).await;
    let careful = world.replica(|_| {}).await.unwrap();
    careful.stop().await;
    assert_eq!(world.rows(world.auditor.company).await, 2);

    let dropping = world.replica(|config| config.service.drop_expired = true).await.unwrap();
    dropping.stop().await;
    let left: Vec<DateTime<Utc>> = sqlx::query_scalar("SELECT occurred_at FROM audit_events WHERE company_id = $1")
        .bind(world.auditor.company)
        .fetch_all(world.service.pool())
        .await
        .unwrap();
    assert_eq!(left, [kept.time]);
}
