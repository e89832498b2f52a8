//! The keys that tokens are signed with.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{SecretSlice, SecretString};
use taskman_authentication::AuthenticationService;
use taskman_chassis::{Config, Listeners, Process, Running};
use taskman_identity::{Algorithm, Client, KeySet, RevocationList, TokenVerifier, VerifyingKey};
use taskman_ids::RequestId;
use taskman_proto::authentication::GetJwksRequest;
use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_testkit::{Space, fleet_keys, secret_key, wait_until};
use tonic::transport::Endpoint;

use crate::world::World;

const SHARED: &str = "a secret that all services were told: 32 bytes";

#[tokio::test]
async fn a_key_takes_over_an_hour_after_it_was_published_and_the_old_one_goes_later() {
    let world = World::configured(|config| config.service.check_keys_every_ms = 20).await;
    let ada = world.person().await;
    let [old] = world.published().await.try_into().unwrap();
    assert_eq!((old.kty.as_str(), old.alg.as_str(), old.crv.as_str()), ("EC", "ES256", "P-256"));
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT sealed FROM signing_keys").fetch_one(world.service.pool()).await.unwrap();
    assert!(stored.len() > 100);

    world.wait(TimeDelta::days(30));
    wait_until("the next key", || async { world.published().await.len() == 2 }).await;
    let before = world.login(&ada).await.access_token;
    assert_eq!(kid(&before), old.kid);
    world.wait(TimeDelta::hours(1));
    let after = world.login(&ada).await.access_token;
    let new = world.published().await.pop().unwrap();
    assert_eq!(kid(&after), new.kid);
    world.caller(&after).await;
    world.wait(TimeDelta::hours(1));
    wait_until("the old key to go", || async { world.published().await == [new.clone()] }).await;
    assert_eq!(world.count("SELECT count(*) FROM signing_keys").await, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_shared_secret_signs_and_is_not_published() {
    let world = World::configured(|config| config.identity.hs256_secret = Some(SHARED.into())).await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    assert!(world.published().await.is_empty());
    assert_eq!(world.count("SELECT count(*) FROM signing_keys").await, 0);
    assert!(world.verify(&login.access_token).await.valid);

    let keys = KeySet::new();
    let secret = SecretSlice::from(SHARED.as_bytes().to_vec());
    keys.replace(vec![VerifyingKey::hs256("hs256", &secret).unwrap()]);
    let clock = Arc::new(world.service.clock().clone());
    let verifier = TokenVerifier::new(keys, "https://taskman.dev", "taskman", clock, RevocationList::new());
    let verified = verifier.verify(&login.access_token, Client::unknown(RequestId::new())).unwrap();
    assert_eq!(verified.caller.user, ada.user);
    world.stop().await;
}

#[tokio::test]
async fn an_edwards_key_signs_where_it_is_asked_for() {
    let world = World::configured(|config| config.service.algorithm = Algorithm::EdDsa).await;
    let ada = world.person().await;
    let login = world.login(&ada).await;
    assert_eq!(world.caller(&login.access_token).await.user, ada.user);
    world.stop().await;
}

/// Starts the service without what a test of one service usually has, so that several can share a database.
async fn replica(space: &Space, database: &SecretString, fleet_keys: &str) -> Running {
    let mut config = Config::<taskman_authentication::Config>::default();
    config.database.url = database.clone();
    config.rabbitmq.url = space.amqp_url();
    config.redis.url = Some(space.redis_url());
    config.identity.fleet_keys = Some(fleet_keys.into());
    config.identity.secret_key = Some(secret_key());
    config.server.listen = String::from("127.0.0.1:0");
    config.server.admin_listen = String::from("127.0.0.1:0");
    let listeners = Listeners::bind("authentication", &config.server).await.unwrap();
    taskman_chassis::start::<AuthenticationService>(config, listeners, Process::new(|_| String::new())).await.unwrap()
}

#[tokio::test]
async fn replicas_that_start_at_the_same_time_share_one_key() {
    taskman_chassis::install_crypto();
    let space = Space::new().await;
    let (database, fleet_keys) = (space.database("authentication").await, fleet_keys());
    let start = || replica(&space, &database, &fleet_keys["authentication"]);
    let replicas: [Running; 3] = tokio::join!(start(), start(), start()).into();
    let mut kids = HashSet::new();
    for replica in &replicas {
        let channel = Endpoint::from_shared(format!("http://{}", replica.address())).unwrap().connect_lazy();
        let mut client = AuthenticationServiceClient::new(channel);
        let keys = client.get_jwks(GetJwksRequest {}).await.unwrap().into_inner().keys;
        assert_eq!(keys.len(), 1);
        kids.insert(keys[0].kid.clone());
    }
    assert_eq!(kids.len(), 1);
    for replica in replicas {
        assert_eq!(replica.stop().await.panics, 0);
    }
}

/// Reads the id of the key that signed a token.
fn kid(token: &str) -> String {
    use base64::Engine as _;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}
