//! What is about persons is sealed, shown to who may see it, and gone for good once they are forgotten.

use chrono::TimeDelta;
use taskman_events::{Envelope, Exchange};
use taskman_ids::{EventId, UserId};
use taskman_proto::audit::AuditEvent;
use taskman_rpc::origin;
use taskman_testkit::wait_until;

use crate::fixture::{World, created, of_type, started, text_of};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Returns the event that tells that a user is to be forgotten; it is not in the catalogue yet.
fn anonymised(world: &World, user: UserId) -> Envelope {
    let like = world.envelope(&origin(&world.auditor), &created(world.auditor.company, "nobody"), MINUTE);
    Envelope {
        event_type: "dev.taskman.user.anonymised.v1".into(),
        subject: format!("users/{user}"),
        partition_key: user.to_string(),
        data: serde_json::json!({"user_id": user}),
        ..like
    }
}

async fn forget(world: &World, user: UserId) {
    let envelope = anonymised(world, user);
    let payload = serde_json::to_vec(&envelope).unwrap();
    let space = world.service.space();
    space.publish_raw(Exchange::User.name(), "user.anonymised", &envelope.id.to_string(), &payload).await;
    wait_until("the key to be destroyed", || async {
        let destroyed: i64 =
            sqlx::query_scalar("SELECT count(*) FROM subject_keys WHERE subject_id = $1 AND sealed_key IS NULL")
                .bind(user)
                .fetch_one(world.service.pool())
                .await
                .unwrap();
        destroyed == 1
    })
    .await;
}

fn email(record: &AuditEvent) -> Option<String> {
    text_of(record, &["user", "email"])
}

#[tokio::test]
async fn the_table_holds_no_personal_data_that_anybody_can_read() {
    let world = World::start().await;
    world.tell(&created(world.auditor.company, "grace"), MINUTE).await;
    world.stored(1).await;
    // The row as text, with the sealed bytes as they are.
    let (mut dump, pii): (String, Vec<u8>) =
        sqlx::query_as("SELECT (to_jsonb(audit_events) - 'pii')::text, pii FROM audit_events WHERE company_id = $1")
            .bind(world.auditor.company)
            .fetch_one(world.service.pool())
            .await
            .unwrap();
    dump.push_str(&String::from_utf8_lossy(&pii));
    for secret in ["grace", "Grace", "Hopper", "example.com", "203.0.113.7", "testkit"] {
        assert!(!dump.contains(secret), "{secret} is in {dump}");
    }
    assert!(dump.contains("Research"), "what is not personal stays readable: {dump}");

    let [record] = world.ask(of_type("user.")).await.try_into().unwrap();
    assert_eq!(email(&record).as_deref(), Some("grace@example.com"));
    assert_eq!(text_of(&record, &["user", "last_name"]).as_deref(), Some("Hopper"));
    assert_eq!(text_of(&record, &["user", "department"]).as_deref(), Some("Research"));
    assert_eq!((record.ip_address.as_str(), record.user_agent.as_str()), ("203.0.113.7", "testkit"));
}

#[tokio::test]
async fn a_forgotten_person_is_gone_from_every_record_and_the_others_are_not() {
    let world = World::start().await;
    let company = world.auditor.company;
    let (grace, ada) = (created(company, "grace"), created(company, "ada"));
    world.tell(&grace, MINUTE).await;
    world.tell(&ada, MINUTE).await;
    world.stored(2).await;
    forget(&world, grace.user.id).await;

    let records = world.ask(of_type("user.created")).await;
    let of = |user: UserId| records.iter().find(|record| record.target_id == user.to_string()).unwrap();
    assert_eq!(email(of(grace.user.id)), None);
    assert_eq!(text_of(of(grace.user.id), &["user", "department"]).as_deref(), Some("Research"));
    assert_eq!(of(grace.user.id).ip_address, "203.0.113.7", "that is the actor's");
    assert_eq!(email(of(ada.user.id)).as_deref(), Some("ada@example.com"));

    // The actor of all this, too.
    forget(&world, world.auditor.user).await;
    let records = world.ask(of_type("user.created")).await;
    assert!(records.iter().all(|record| record.ip_address.is_empty() && record.user_agent.is_empty()));
    assert_eq!(records.iter().filter_map(email).collect::<Vec<_>>(), ["ada@example.com"]);
}

#[tokio::test]
async fn what_comes_late_about_a_forgotten_person_is_not_kept() {
    let world = World::start().await;
    forget(&world, world.auditor.user).await;
    let late = world.tell(&started("Late"), MINUTE).await;
    world.stored(2).await;
    let pii: Option<Vec<u8>> = sqlx::query_scalar("SELECT pii FROM audit_events WHERE id = $1")
        .bind(late.id)
        .fetch_one(world.service.pool())
        .await
        .unwrap();
    assert_eq!(pii, None);
    let [record] = world.ask(of_type("task.")).await.try_into().unwrap();
    assert_eq!((record.actor_id, record.ip_address), (world.auditor.user.to_string(), String::new()));
}

#[tokio::test]
async fn a_damaged_seal_hides_no_record() {
    let world = World::start().await;
    let envelope = world.tell(&started("It"), MINUTE).await;
    world.stored(1).await;
    // The trail itself cannot be damaged by a statement; a row beside it can.
    sqlx::query(
        "INSERT INTO audit_events SELECT (jsonb_populate_record(one, jsonb_build_object('id', $1::uuid))).*
         FROM audit_events one WHERE id = $2",
    )
    .bind(EventId::new())
    .bind(envelope.id)
    .execute(world.service.pool())
    .await
    .unwrap();
    let records = world.ask(of_type("task.")).await;
    let addresses: Vec<&str> = records.iter().map(|record| record.ip_address.as_str()).collect();
    assert_eq!(addresses, ["", "203.0.113.7"]);
}

#[tokio::test]
async fn a_damaged_key_closes_what_it_sealed_and_nothing_else() {
    let world = World::start().await;
    let company = world.auditor.company;
    let grace = created(company, "grace");
    world.tell(&grace, MINUTE).await;
    world.stored(1).await;
    sqlx::query("UPDATE subject_keys SET sealed_key = 'x' WHERE subject_id = $1")
        .bind(grace.user.id)
        .execute(world.service.pool())
        .await
        .unwrap();
    let [record] = world.ask(of_type("user.")).await.try_into().unwrap();
    assert_eq!((email(&record), record.ip_address.as_str()), (None, "203.0.113.7"));
}

#[tokio::test]
async fn a_service_with_another_secret_does_not_start() {
    let world = World::start().await;
    let other = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
    let refused = world.replica(|config| config.identity.secret_key = Some(other.into())).await.unwrap_err();
    assert!(format!("{refused:#}").contains("identity.secret_key"), "{refused:#}");
}
