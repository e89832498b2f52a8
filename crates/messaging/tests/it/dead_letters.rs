//! Looking at dead letters, and what a replay does.

use std::sync::atomic::Ordering;

use taskman_messaging::dead_letters::{self, DeadLetter, Filter, Replayed};
use uuid::Uuid;

use crate::handlers::Notes;
use crate::stage::{Stage, now, until};

const AUDIT: &str = "audit.all";
const MAIL: &str = "notification.mail";

async fn dead(stage: &Stage) -> Vec<DeadLetter> {
    dead_letters::list(stage.pool(), &Filter::default(), 100).await.unwrap()
}

async fn replay(stage: &Stage, ids: &[Uuid]) -> Replayed {
    dead_letters::replay(stage.pool(), &stage.config, "notification", ids, 100, now()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_to_the_queue_that_failed_and_to_no_other() {
    let stage = Stage::new().await;
    let (mail, audit) = (Notes::of(MAIL), Notes::of(AUDIT));
    audit.mended.store(1, Ordering::SeqCst);
    let outbox = stage.start_relay();
    stage.start_consumer(MAIL, mail.single());
    stage.start_consumer(AUDIT, audit.batch());
    let event = stage.record("permanent").await;
    outbox.wake();
    until("it is dead for one and applied by the other", async || {
        dead(&stage).await.len() == 1 && stage.effects_of(AUDIT, event).await == 1
    })
    .await;
    let letter = dead(&stage).await.remove(0);
    assert_eq!((letter.consumer.as_str(), letter.event_id, letter.times), (MAIL, Some(event), 1));

    // It fails again: the same letter, a second time.
    assert_eq!(replay(&stage, &[letter.id]).await, Replayed { sent: 1, skipped: 0 });
    until("it is dead again", async || dead(&stage).await.first().is_some_and(|letter| letter.times == 2)).await;
    assert_eq!(dead(&stage).await[0].attempts, 1, "a replay starts counting anew");

    // It is mended: applied, once, by the queue that failed.
    mail.mended.store(1, Ordering::SeqCst);
    assert_eq!(replay(&stage, &[letter.id, letter.id]).await, Replayed { sent: 1, skipped: 1 });
    until("it is applied", async || stage.effects_of(MAIL, event).await == 1).await;
    assert!(dead(&stage).await.is_empty());
    assert_eq!(audit.calls(), 1, "the replay reached another queue");
    let replayed = dead_letters::find(stage.pool(), letter.id).await.unwrap().unwrap();
    assert_eq!((replayed.state.as_str(), replayed.times), ("replayed", 2));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_does_not_consume_and_discarding_ends_it() {
    let stage = Stage::new().await;
    let outbox = stage.start_relay();
    stage.start_consumer(MAIL, Notes::of(MAIL).single());
    stage.record("permanent").await;
    stage.record("permanent").await;
    outbox.wake();
    until("both are dead", async || dead(&stage).await.len() == 2).await;
    let letters = dead(&stage).await;
    assert_eq!(letters[0].fingerprint, letters[1].fingerprint, "they look alike");
    for (filter, expected) in [
        (Filter { company: Some(stage.company), ..Filter::default() }, 2),
        (Filter { company: Some(taskman_ids::CompanyId::new()), ..Filter::default() }, 0),
        (Filter { consumer: Some(AUDIT.to_owned()), ..Filter::default() }, 0),
        (
            Filter {
                reason: Some("ASKED".to_owned()),
                routing_key: Some("task.assigned".to_owned()),
                ..Filter::default()
            },
            2,
        ),
        (Filter { before: Some(letters[0].arrived_at), ..Filter::default() }, 1),
    ] {
        assert_eq!(dead_letters::list(stage.pool(), &filter, 10).await.unwrap().len(), expected, "{filter:?}");
    }
    assert!(dead_letters::discard(stage.pool(), letters[0].id, now()).await.unwrap());
    assert!(!dead_letters::discard(stage.pool(), letters[0].id, now()).await.unwrap());
    assert_eq!(replay(&stage, &[letters[0].id]).await, Replayed { sent: 0, skipped: 1 });
    assert_eq!(dead(&stage).await.len(), 1);
    stage.end().await;
}
