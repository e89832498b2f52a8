//! One server at a time.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use redis::AsyncCommands;
use sqlx::{Connection, PgConnection};
use taskman_devstack::{Error, Postgres, Profile, RabbitMq, Redis};
use tokio::time::timeout;

use crate::{assert_nothing_runs_in, count, directory, processes_in, sql};

#[tokio::test]
async fn postgres_keeps_port_and_committed_rows_over_a_kill() {
    let dir = directory();
    let mut postgres = Postgres::start(dir.path(), Profile::Dev).await.unwrap();
    let url = postgres.url();
    sql(&url, "create table notes (id int); insert into notes values (1), (2)").await;

    postgres.kill().await;
    assert!(!postgres.is_running() && !postgres.answers().await);
    assert_nothing_runs_in(dir.path());

    postgres.restart().await.unwrap();
    assert_eq!(postgres.url(), url);
    assert_eq!(count(&url, "select count(*) from notes").await, 2);
    postgres.stop().await.unwrap();
    assert_nothing_runs_in(dir.path());
}

#[tokio::test]
async fn postgres_accepts_five_hundred_connections_and_has_no_socket_file() {
    let dir = directory();
    let postgres = Postgres::start(dir.path(), Profile::Test).await.unwrap();
    let url = postgres.url();
    let most = "select setting::bigint from pg_settings where name = 'max_connections'";
    assert_eq!(count(&url, most).await, 500);
    let sockets = "select count(*) from pg_settings where name = 'unix_socket_directories' and setting <> ''";
    assert_eq!(count(&url, sockets).await, 0);
}

#[tokio::test]
async fn a_paused_postgres_hangs_on_open_connections_until_it_is_resumed() {
    let dir = directory();
    let postgres = Postgres::start(dir.path(), Profile::Test).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    postgres.pause();
    assert!(postgres.is_running() && !postgres.answers().await);

    let answer = sqlx::query_scalar::<_, i32>("select 7").fetch_one(&mut connection);
    tokio::pin!(answer);
    assert!(timeout(Duration::from_millis(300), &mut answer).await.is_err(), "a frozen server answered");
    postgres.resume();
    assert_eq!(answer.await.unwrap(), 7);
}

#[tokio::test]
async fn a_paused_redis_hangs_and_recovers_with_its_data() {
    let dir = directory();
    let redis = Redis::start(dir.path(), Profile::Test).await.unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    () = connection.set("key", "value").await.unwrap();
    redis.pause();
    assert!(!redis.answers().await);
    redis.resume();
    assert!(redis.answers().await);
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert_eq!(connection.get::<_, String>("key").await.unwrap(), "value");
}

#[tokio::test]
async fn a_killed_redis_answers_again_on_the_same_port() {
    let dir = directory();
    let mut redis = Redis::start(dir.path(), Profile::Test).await.unwrap();
    let port = redis.port();
    redis.kill().await;
    assert!(!redis.answers().await);
    redis.restart().await.unwrap();
    assert!(redis.answers().await && redis.port() == port);
}

#[tokio::test]
async fn rabbitmq_keeps_port_durable_queues_and_messages_over_a_kill() {
    let dir = directory();
    let mut rabbitmq = RabbitMq::start(dir.path(), Profile::Test).await.unwrap();
    let url = rabbitmq.url();
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let channel = channel(&url).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel.queue_declare("kept".into(), durable, FieldTable::default()).await.unwrap();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish("".into(), "kept".into(), options, b"mail", persistent).await.unwrap();
    assert!(confirm.await.unwrap().is_ack());

    rabbitmq.kill().await;
    assert_nothing_runs_in(dir.path()); // Erlang's helpers and its name server are part of the server
    rabbitmq.restart().await.unwrap();

    assert_eq!(rabbitmq.url(), url);
    let channel = self::channel(&url).await;
    let got = channel.basic_get("kept".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!(got.delivery.data, b"mail");
}

#[tokio::test]
async fn a_paused_rabbitmq_hangs_and_recovers() {
    let dir = directory();
    let mut rabbitmq = RabbitMq::start(dir.path(), Profile::Dev).await.unwrap();
    rabbitmq.pause();
    assert!(!rabbitmq.answers().await);
    rabbitmq.resume();
    assert!(rabbitmq.answers().await);
    rabbitmq.pause();
    rabbitmq.stop().await.unwrap(); // cleanly, although it is frozen
    assert_nothing_runs_in(dir.path());
}

#[tokio::test]
async fn dropping_a_server_kills_it() {
    let dir = directory();
    let (postgres, redis) = (dir.path().join("postgres"), dir.path().join("redis"));
    let postgres = Postgres::start(postgres, Profile::Test).await.unwrap();
    let redis = Redis::start(redis, Profile::Test).await.unwrap();
    assert!(processes_in(dir.path()).len() > 2);
    drop((postgres, redis));
    assert_nothing_runs_in(dir.path());
}

#[tokio::test]
async fn a_directory_belongs_to_one_owner_at_a_time() {
    let dir = directory();
    let mut redis = Redis::start(dir.path(), Profile::Test).await.unwrap();
    assert!(matches!(Redis::start(dir.path(), Profile::Test).await, Err(Error::InUse(_))));
    redis.stop().await.unwrap();
    let port = redis.port();
    drop(redis);
    assert_eq!(Redis::start(dir.path(), Profile::Test).await.unwrap().port(), port);
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let dir = directory();
    drop(Postgres::start(dir.path(), Profile::Dev).await.unwrap());
    std::fs::write(dir.path().join("data/cluster/postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let error = Postgres::start(dir.path(), Profile::Dev).await.unwrap_err().to_string();
    assert!(error.contains("postgres did not start") && error.contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn data_of_a_first_start_that_was_cut_short_are_not_used() {
    let dir = directory();
    std::fs::create_dir_all(dir.path().join("data/cluster")).unwrap();
    std::fs::write(dir.path().join("data/cluster/PG_VERSION"), "15\n").unwrap();
    let postgres = Postgres::start(dir.path(), Profile::Dev).await.unwrap();
    assert_eq!(count(&postgres.url(), "select 1::bigint").await, 1);
}

async fn channel(url: &str) -> Channel {
    let connection = lapin::Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}
