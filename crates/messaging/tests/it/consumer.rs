//! From the queue to the effect.

use std::sync::atomic::Ordering;
use std::time::Instant;

use taskman_events::Envelope;
use taskman_ids::EventId;
use taskman_messaging::dead_letters::{self, DeadLetter, Filter};
use taskman_messaging::topology::{dead_letter_queue, retry_queue};

use crate::handlers::Notes;
use crate::stage::{Stage, assigned, now, until};

const AUDIT: &str = "audit.all";
const MAIL: &str = "notification.mail";

/// Returns the bytes of an event that nobody recorded.
fn message(stage: &Stage, title: &str) -> (EventId, Vec<u8>) {
    let id = EventId::new();
    let envelope = Envelope::new(id, &stage.origin(), &assigned(title), now()).unwrap();
    (id, serde_json::to_vec(&envelope).unwrap())
}

async fn dead(stage: &Stage) -> Vec<DeadLetter> {
    dead_letters::list(stage.pool(), &Filter::default(), 100).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_acked_and_not_applied_again() {
    let stage = Stage::new().await;
    let notes = Notes::of(MAIL);
    let (event, bytes) = message(&stage, "twice");
    for _ in 0..3 {
        stage.put(MAIL, &bytes, Some(&event.to_string())).await;
    }
    let (marker, last) = message(&stage, "marker");
    stage.put(MAIL, &last, None).await;
    stage.start_consumer(MAIL, notes.single());
    until("the marker is applied", async || stage.effects_of(MAIL, marker).await == 1).await;
    until("the event is applied", async || stage.effects_of(MAIL, event).await == 1).await;
    until("the queue is empty", async || stage.depth(MAIL).await == 0).await;
    assert_eq!((stage.effects_of(MAIL, event).await, notes.calls()), (1, 2));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_within_a_batch_are_applied_once() {
    let stage = Stage::new().await;
    let notes = Notes::of(AUDIT);
    let (event, bytes) = message(&stage, "twice");
    for _ in 0..3 {
        stage.put(AUDIT, &bytes, Some(&event.to_string())).await;
    }
    stage.start_consumer(AUDIT, notes.batch());
    until("it is applied", async || stage.effects(AUDIT).await >= 1).await;
    let (marker, last) = message(&stage, "marker");
    stage.put(AUDIT, &last, None).await;
    until("the marker is applied", async || stage.effects_of(AUDIT, marker).await == 1).await;
    assert_eq!(stage.effects_of(AUDIT, event).await, 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_passes_is_retried_after_its_delays_and_then_applied() {
    let stage = Stage::new().await;
    let notes = Notes::of(MAIL);
    notes.transient_left.store(2, Ordering::SeqCst);
    stage.start_consumer(MAIL, notes.single());
    let started = Instant::now();
    let (event, bytes) = message(&stage, "transient");
    stage.put(MAIL, &bytes, Some(&event.to_string())).await;
    until("it is applied", async || stage.effects_of(MAIL, event).await == 1).await;
    let delays: u64 = stage.config.retry_delays_ms.iter().sum();
    assert!(started.elapsed().as_millis() >= u128::from(delays), "it did not wait for its delays");
    assert_eq!(notes.calls(), 3);
    for delay in &stage.config.retry_delays_ms {
        assert_eq!(stage.depth(&retry_queue(MAIL, *delay)).await, 0);
    }
    assert!(dead(&stage).await.is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_does_not_pass_in_time_is_a_dead_letter_with_its_story() {
    let stage = Stage::new().await;
    let notes = Notes::of(MAIL);
    notes.transient_left.store(usize::MAX, Ordering::SeqCst);
    stage.start_consumer(MAIL, notes.single());
    let (event, bytes) = message(&stage, "transient");
    stage.put(MAIL, &bytes, Some(&event.to_string())).await;
    until("it is dead", async || !dead(&stage).await.is_empty()).await;
    let letter = dead(&stage).await.remove(0);
    assert_eq!((letter.class.as_str(), letter.reason.as_str(), letter.attempts), ("exhausted", "ASKED", 3));
    assert_eq!((letter.event_id, letter.company_id), (Some(event), stage.company));
    assert!(letter.first_failed_at < letter.last_failed_at);
    assert_eq!(letter.payload, bytes);
    assert_eq!(stage.effects_of(MAIL, event).await, 0, "what failed was rolled back");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_applied_is_dead_at_once_and_its_neighbours_are_applied() {
    let stage = Stage::new().await;
    let notes = Notes::of(MAIL);
    let (permanent, permanent_bytes) = message(&stage, "permanent");
    let (panicking, panicking_bytes) = message(&stage, "panic");
    let (unknown, unknown_bytes) = message(&stage, "unknown version");
    let unknown_bytes = String::from_utf8(unknown_bytes).unwrap().replace(".assigned.v1", ".assigned.v2");
    let (foreign, foreign_bytes) = message(&stage, "no handler");
    let foreign_bytes = String::from_utf8(foreign_bytes).unwrap().replace(".task.assigned.v1", ".task.other.v1");
    let mut neighbours = Vec::new();
    for bad in [&permanent_bytes[..], &panicking_bytes, unknown_bytes.as_bytes(), foreign_bytes.as_bytes(), b"{"] {
        let (neighbour, bytes) = message(&stage, "fine");
        stage.put(MAIL, &bytes, None).await;
        stage.put(MAIL, bad, None).await;
        neighbours.push(neighbour);
    }
    stage.start_consumer(MAIL, notes.single());
    until("all the bad are dead", async || dead(&stage).await.len() == 5).await;
    for neighbour in neighbours {
        until("a neighbour is applied", async || stage.effects_of(MAIL, neighbour).await == 1).await;
    }
    let mut found: Vec<_> =
        dead(&stage).await.into_iter().map(|letter| (letter.class, letter.reason, letter.attempts)).collect();
    found.sort();
    let expected = [
        ("permanent", "ASKED"),
        ("permanent", "NO_HANDLER"),
        ("poison", "EVENT_MALFORMED"),
        ("poison", "EVENT_MALFORMED"),
        ("poison", "PANIC"),
    ];
    assert_eq!(found, expected.map(|(class, reason)| (class.to_owned(), reason.to_owned(), 1)));
    for event in [permanent, panicking, unknown, foreign] {
        assert_eq!(stage.effects_of(MAIL, event).await, 0);
    }
    until("the queue of dead letters is empty", async || stage.depth(&dead_letter_queue(MAIL)).await == 0).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_split_until_the_poison_is_alone() {
    let stage = Stage::new().await;
    let notes = Notes::of(AUDIT);
    let mut bad = Vec::new();
    let mut tx = stage.db.begin().await.unwrap();
    for number in 0..60 {
        let title = match number {
            13 => "permanent",
            40 => "panic",
            _ => "fine",
        };
        let recorded = taskman_messaging::outbox::record(&mut tx, &stage.origin(), &assigned(title), now()).await;
        if title != "fine" {
            bad.push(recorded.unwrap());
        }
    }
    tx.commit().await.unwrap();
    stage.put(AUDIT, b"not json", None).await;
    stage.start_relay();
    until("all are in the queue", async || stage.depth(AUDIT).await == 61).await;
    stage.start_consumer(AUDIT, notes.batch());
    until("the good are applied", async || stage.effects(AUDIT).await == 58).await;
    until("the bad are dead", async || dead(&stage).await.len() == 3).await;
    let dead_events: Vec<EventId> = dead(&stage).await.into_iter().filter_map(|letter| letter.event_id).collect();
    assert!(bad.iter().all(|event| dead_events.contains(event)));
    assert!(notes.calls() < 40, "it was not split by halves: {} calls", notes.calls());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_gives_up_itself_is_a_dead_letter_too() {
    let stage = Stage::new().await;
    let (event, bytes) = message(&stage, "fatal");
    stage.put(&dead_letter_queue(MAIL), &bytes, None).await;
    stage.start_consumer(MAIL, Notes::of(MAIL).single());
    until("it is in the table", async || !dead(&stage).await.is_empty()).await;
    let letter = dead(&stage).await.remove(0);
    assert_eq!((letter.class.as_str(), letter.reason.as_str()), ("crash_loop", "DELIVERY_LIMIT"));
    assert_eq!((letter.event_id, letter.company_id), (Some(event), stage.company));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_gives_up_after_a_retry_is_a_crash_loop_that_tells_of_the_retry() {
    let stage = Stage::new().await;
    let (event, bytes) = message(&stage, "fatal");
    let headers = [
        ("x-failure-class", "transient"),
        ("x-failure-reason", "UNAVAILABLE"),
        ("x-failure-detail", "no\0 answer"),
        ("x-other", "\0"),
    ];
    stage.put_with_headers(&dead_letter_queue(MAIL), &bytes, &headers).await;
    stage.start_consumer(MAIL, Notes::of(MAIL).single());
    until("it is in the table", async || !dead(&stage).await.is_empty()).await;
    let letter = dead(&stage).await.remove(0);
    assert_eq!((letter.class.as_str(), letter.reason.as_str()), ("crash_loop", "DELIVERY_LIMIT"));
    assert!(letter.detail.ends_with("UNAVAILABLE: no answer"), "{}", letter.detail);
    assert_eq!((letter.event_id, &letter.headers["x-other"]), (Some(event), &serde_json::Value::from("")));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_the_database_refuses_is_stored_without_its_story() {
    let stage = Stage::new().await;
    let refuse = "ALTER TABLE dead_letters ADD CONSTRAINT refused CHECK (version IS NULL)";
    sqlx::raw_sql(refuse).execute(stage.pool()).await.unwrap();
    let (_, first) = message(&stage, "refused");
    let (second, next) = message(&stage, "behind it");
    let headers = [("x-failure-class", "permanent"), ("x-failure-version", "1.0")];
    stage.put_with_headers(&dead_letter_queue(MAIL), &first, &headers).await;
    stage.put(&dead_letter_queue(MAIL), &next, None).await;
    stage.start_consumer(MAIL, Notes::of(MAIL).single());
    until("both are in the table", async || dead(&stage).await.len() == 2).await;
    let letters = dead(&stage).await;
    let (behind, bare): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter.event_id == Some(second));
    assert_eq!((behind.len(), bare[0].class.as_str(), bare[0].reason.as_str()), (1, "poison", "NOT_STORABLE"));
    assert!(bare[0].detail.contains("refused was violated"), "{}", bare[0].detail);
    assert_eq!(bare[0].payload, first);
    stage.end().await;
}
