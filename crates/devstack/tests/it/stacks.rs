//! The four servers together.

use lapin::ConnectionProperties;
use taskman_devstack::{Endpoints, Options, Profile, Stack, StackStatus, status};

use crate::{assert_nothing_runs_in, count, directory};

#[tokio::test]
async fn two_stacks_live_side_by_side_and_stop_without_a_trace() {
    let (one, two) = (directory(), directory());
    let start = |dir: &tempfile::TempDir| Stack::start(Options { dir: dir.path().to_owned(), profile: Profile::Test });
    let (first, second) = tokio::try_join!(start(&one), start(&two)).unwrap();
    assert_ne!(first.endpoints().amqp_url, second.endpoints().amqp_url);
    for stack in [&first, &second] {
        let endpoints = Endpoints::read(&stack.endpoints_file()).unwrap();
        assert_eq!(&endpoints, stack.endpoints());
        assert_every_server_answers(&endpoints).await;
    }
    assert_eq!(status(one.path()), StackStatus::Up(first.endpoints().clone()));

    first.stop().await.unwrap();
    assert_nothing_runs_in(one.path());
    assert_eq!(status(one.path()), StackStatus::Down);
    assert_every_server_answers(second.endpoints()).await;
    drop(second);
    assert_nothing_runs_in(two.path());
}

async fn assert_every_server_answers(endpoints: &Endpoints) {
    assert_eq!(count(&endpoints.postgres_url, "select 1::bigint").await, 1);

    let client = redis::Client::open(endpoints.redis_url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert_eq!(redis::cmd("PING").query_async::<String>(&mut connection).await.unwrap(), "PONG");

    let broker = lapin::Connection::connect(&endpoints.amqp_url, ConnectionProperties::default()).await.unwrap();
    assert!(broker.create_channel().await.is_ok());

    let http = reqwest::Client::new();
    let overview = http
        .get(format!("{}/api/overview", endpoints.rabbitmq_management_url))
        .basic_auth(&endpoints.management_user, Some(&endpoints.management_password));
    assert!(overview.send().await.unwrap().status().is_success());

    let mails = http.get(format!("{}/api/messages", endpoints.mail_url)).send().await.unwrap();
    assert_eq!(mails.text().await.unwrap(), "[]");
}
