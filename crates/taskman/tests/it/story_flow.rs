//! The story, in one process.

use crate::fleet::{TestFleet, connect};

#[tokio::test(flavor = "multi_thread")]
async fn a_company_works_a_whole_afternoon_and_all_of_it_is_audited_once() {
    let fleet = TestFleet::start().await;
    let outcome = fleet.play().await;

    // What each request of somebody known brought about is in the audit under that request, with address and actor.
    let mut audit = connect(&fleet.options.stores, "audit_db").await;
    for (title, request_id) in &outcome.requests {
        let request: uuid::Uuid = request_id.parse().unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE request_id = $1")
            .bind(request)
            .fetch_one(&mut audit)
            .await
            .unwrap();
        let leaves_nothing =
            title.contains("refused") || title.contains("cannot be refreshed") || title.contains("does not exist");
        assert_eq!(rows == 0, leaves_nothing, "{title} left {rows} events");
    }

    // No secret and no address lies open in the audit.
    let open: Vec<String> =
        sqlx::query_scalar("SELECT metadata::text FROM audit_events").fetch_all(&mut audit).await.unwrap();
    let all = open.join("\n");
    for secret in ["@example.com", "127.0.0.1", "password\":", "tmr_"] {
        assert!(!all.contains(secret), "{secret} is in the metadata of the audit");
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_fleets_side_by_side_know_nothing_of_each_other() {
    let (first, second) = tokio::join!(TestFleet::start(), TestFleet::start());
    let (one, two) = tokio::join!(first.play(), second.play());
    assert_ne!(one.company_id, two.company_id);
    first.stop().await;
    second.stop().await;
}
