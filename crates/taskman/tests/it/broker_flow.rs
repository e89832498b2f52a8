//! The broker dies in the middle of the story.

use std::time::Duration;

use taskman_devstack::{Profile, RabbitMq};
use taskman_taskman::story::{Told, play};

use crate::fleet::{TestFleet, every_event_is_audited_once};

/// The step after which the broker is killed: mails have been waited for by then.
const LAST_WITH_BROKER: &str = "The administrator creates a task";
/// How long it stays away.
const AWAY: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_feel_that_the_broker_is_gone_and_no_event_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = RabbitMq::start(folder.path(), Profile::Test).await.unwrap();
    let url = broker.url();
    let fleet = TestFleet::start_with(|options| options.stores.amqp_url.clone_from(&url)).await;

    let (killed, kill) = tokio::sync::oneshot::channel();
    let mut killed = Some(killed);
    let stage = fleet.stage();
    let story = async {
        let mut tell = |told: Told| {
            if let Told::Step(step) = told
                && step.title == LAST_WITH_BROKER
                && let Some(killed) = killed.take()
            {
                killed.send(()).unwrap();
            }
        };
        // Every request of the story succeeds; the mails come when the broker is back.
        play(&stage, &mut tell).await.unwrap()
    };
    let fault = async {
        kill.await.unwrap();
        broker.kill().await;
        tokio::time::sleep(AWAY).await;
        broker.restart().await.unwrap();
        broker
    };
    let (_outcome, broker) = tokio::join!(story, fault);
    every_event_is_audited_once(&fleet.options.stores).await;
    fleet.stop().await;
    drop(broker);
}
