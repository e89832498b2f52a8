//! Logging in, and failing to.

use std::time::Duration;

use chrono::TimeDelta;
use taskman_errors::Failure as _;
use taskman_events::NO_COMPANY;
use taskman_events::auth::{LoginFailed, LoginFailure, LoginMethod, LoginSuccess};
use taskman_proto::authentication::LoginRequest;
use taskman_proto::user::{CompanyStatus, LoginSubject};
use taskman_rpc::UpstreamError;
use tonic::{Code, Status};

use crate::world::{PASSWORD, World, said, session_of, traced};

const REFUSED: (Code, &str) = (Code::Unauthenticated, "LOGIN_FAILED");

fn refused(status: &Status) -> bool {
    let (code, reason) = said(status);
    (code, reason.as_str()) == REFUSED
}

#[tokio::test]
async fn a_login_opens_a_session_whose_token_the_published_keys_verify() {
    let world = World::start().await;
    let ada = world.person().await;
    let login = world.try_login(&format!(" {} ", ada.email.to_uppercase()), PASSWORD).await.unwrap();
    assert_eq!((login.token_type.as_str(), login.expires_in), ("Bearer", 900));
    assert_eq!(login.user_id, ada.user.to_string());
    assert!(login.refresh_token.starts_with("tmr_"));

    let caller = world.caller(&login.access_token).await;
    assert_eq!((caller.user, caller.company, caller.session), (ada.user, ada.company, session_of(&login)));
    assert_eq!((caller.email.as_str(), caller.iam_position), (ada.email.as_str(), 7));
    assert_eq!(caller.roles, ["developer"]);
    assert!(world.is_open(&caller).await);

    let [(envelope, event)] = world.events::<LoginSuccess>().await.try_into().unwrap();
    let expected = LoginSuccess {
        user_id: ada.user,
        session_id: caller.session,
        ip: Some([203, 0, 113, 9].into()),
        user_agent: Some("testkit".to_owned()),
        method: LoginMethod::Password,
    };
    assert_eq!(event, expected);
    assert_eq!((envelope.company_id, envelope.auth_id), (ada.company, Some(ada.user)));
    assert_eq!((envelope.session_id, envelope.client_address.as_deref()), (Some(caller.session), Some("203.0.113.9")));
    world.stop().await;
}

async fn shut_out(world: &World, change: impl FnOnce(&mut LoginSubject)) -> String {
    let person = world.person().await;
    let mut subject = person.subject();
    change(&mut subject);
    world.users.put(subject);
    person.email
}

#[tokio::test]
async fn every_refused_login_looks_the_same_and_costs_the_same() {
    let telemetry = taskman_telemetry::install_for_tests();
    let world = World::start().await;
    let (ada, invited) = (world.person().await, world.invited());
    let inactive = shut_out(&world, |subject| subject.active = false).await;
    let suspended = shut_out(&world, |subject| subject.company_status = CompanyStatus::Suspended.into()).await;
    let provisioning = shut_out(&world, |subject| subject.company_status = CompanyStatus::Provisioning.into()).await;
    let throttled = world.person().await.email;
    while world.events::<LoginFailed>().await.iter().all(|(_, event)| event.reason != LoginFailure::Throttled) {
        assert!(refused(&world.try_login(&throttled, "wrong").await.unwrap_err()));
    }
    let long = "x".repeat(5_000);
    let cases = [
        ("nobody@example.com", PASSWORD, LoginFailure::UnknownUser),
        ("", "", LoginFailure::UnknownUser),
        ("no address", PASSWORD, LoginFailure::UnknownUser),
        (&long, PASSWORD, LoginFailure::UnknownUser),
        (&ada.email, "violet kettle 8", LoginFailure::WrongPassword),
        (&ada.email, "", LoginFailure::WrongPassword),
        (&ada.email, &long, LoginFailure::WrongPassword),
        (&invited.email, PASSWORD, LoginFailure::WrongPassword),
        (&inactive, PASSWORD, LoginFailure::UserInactive),
        (&inactive, "wrong", LoginFailure::WrongPassword),
        (&suspended, PASSWORD, LoginFailure::CompanyInactive),
        (&provisioning, PASSWORD, LoginFailure::CompanyInactive),
        (&throttled, PASSWORD, LoginFailure::Throttled),
    ];
    let mut messages = Vec::new();
    for (email, password, reason) in cases {
        let trace = taskman_ids::new_uuid().simple().to_string();
        let before = (world.users.asked(), world.iam.asked());
        let request = LoginRequest { email: email.to_owned(), password: password.to_owned() };
        let status = world.public().login(traced(request, &trace)).await.unwrap_err();
        assert!(refused(&status), "{status:?}");
        messages.push((status.message().to_owned(), status.details().to_owned()));
        assert_eq!((world.users.asked() - before.0, world.iam.asked() - before.1), (1, 1), "{reason:?}");
        let hashed = telemetry.spans_of(&trace).into_iter().filter(|span| span.name == "hash_password").count();
        assert_eq!(hashed, 1, "{reason:?}");
        let (envelope, event) = world.events::<LoginFailed>().await.pop().unwrap();
        assert_eq!(event.reason, reason);
        let nobody = reason == LoginFailure::UnknownUser;
        assert_eq!((envelope.company_id == NO_COMPANY, event.user_id.is_none()), (nobody, nobody));
        assert!(!serde_json::to_string(&envelope).unwrap().contains("example.com"));
    }
    let metrics = telemetry.render_metrics();
    let counted = metrics.lines().find(|line| line.starts_with("taskman_logins_total") && line.contains("\"false\""));
    assert!(counted.is_some(), "{metrics}");
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(world.count("SELECT count(*) FROM sessions").await, 0);
    world.stop().await;
}

#[tokio::test]
async fn guesses_are_slowed_down_from_elsewhere_but_not_on_a_known_device() {
    let world = World::start().await;
    let ada = world.person().await;
    world.login(&ada).await;
    let guess = |address: &'static str, password: &'static str| {
        let (mut client, email) = (world.at(address), ada.email.clone());
        async move { client.login(LoginRequest { email, password: password.to_owned() }).await }
    };
    for _ in 0..7 {
        assert!(refused(&guess("198.51.100.1", "wrong").await.unwrap_err()));
    }
    assert!(guess("198.51.100.200", PASSWORD).await.is_err(), "the same network, and too soon");
    assert!(guess("203.0.113.77", PASSWORD).await.is_ok(), "a known device");
    world.wait(TimeDelta::seconds(2));
    assert!(guess("198.51.100.1", PASSWORD).await.is_ok(), "after the wait");
    let reasons: Vec<_> = world.events::<LoginFailed>().await.into_iter().map(|(_, event)| event.reason).collect();
    let expected = [[LoginFailure::WrongPassword; 6].as_slice(), &[LoginFailure::Throttled; 2]].concat();
    assert_eq!(reasons, expected);
    world.stop().await;
}

#[tokio::test]
async fn parallel_guesses_do_not_get_more_attempts_than_one_after_the_other() {
    let world = World::start().await;
    let ada = world.person().await;
    let guesses = (0..30).map(|_| world.try_login(&ada.email, "wrong"));
    assert!(futures::future::join_all(guesses).await.iter().all(|result| refused(result.as_ref().unwrap_err())));
    let events = world.events::<LoginFailed>().await;
    let looked_at = events.iter().filter(|(_, event)| event.reason == LoginFailure::WrongPassword).count();
    assert_eq!((looked_at, events.len()), (6, 30));
    world.stop().await;
}

#[tokio::test]
async fn an_imported_bcrypt_password_is_accepted_once_and_kept_as_argon2id() {
    let world = World::start().await;
    let ada = world.invited();
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    sqlx::query("INSERT INTO credentials VALUES ($1, $2, $3, false, now(), now())")
        .bind(ada.company)
        .bind(ada.user)
        .bind(bcrypt)
        .execute(world.service.pool())
        .await
        .unwrap();
    assert!(world.try_login(&ada.email, "wrong").await.is_err());
    world.login(&ada).await;
    let hash: String =
        sqlx::query_scalar("SELECT password_hash FROM credentials").fetch_one(world.service.pool()).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    world.login(&ada).await;
    world.stop().await;
}

#[tokio::test]
async fn more_logins_than_the_queue_holds_are_told_to_come_back() {
    let world = World::configured(|config| {
        config.service.hash_workers = 1;
        config.service.hash_queue = 1;
    })
    .await;
    let logins = (0..12).map(|_| world.try_login("nobody@example.com", "wrong"));
    let results = futures::future::join_all(logins).await;
    let refusals: Vec<_> = results.into_iter().map(Result::unwrap_err).filter(|status| !refused(status)).collect();
    assert!(!refusals.is_empty() && refusals.len() < 12, "{}", refusals.len());
    for status in refusals {
        assert_eq!(said(&status), (Code::ResourceExhausted, "OVERLOADED".to_owned()));
        assert_eq!(UpstreamError::from(status).retry_after(), Some(Duration::from_secs(1)));
    }
    assert!(refused(&world.try_login("nobody@example.com", "wrong").await.unwrap_err()), "places come back");
    world.stop().await;
}

#[tokio::test]
async fn a_login_on_its_way_does_not_outlive_a_deactivation() {
    let world = World::start().await;
    let ada = world.person().await;
    let (go, asked) = (world.iam.hold(), world.iam.asked());
    let (login, ()) = tokio::join!(world.try_login(&ada.email, PASSWORD), async {
        taskman_testkit::wait_until("the login to ask for roles", || async { world.iam.asked() > asked }).await;
        world.revoke(&ada, "deactivated").await;
        go.notify_one();
    });
    assert!(refused(&login.unwrap_err()));
    assert_eq!(world.count("SELECT count(*) FROM sessions").await, 0);
    // The user is active again; the clock stood still.
    let login = world.login(&ada).await;
    assert!(world.verify(&login.access_token).await.valid);
    world.stop().await;
}

#[tokio::test]
async fn an_unreachable_service_is_no_refused_login() {
    let world = taskman_testkit::service::<taskman_authentication::AuthenticationService>().start().await;
    let mut client =
        taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient::new(world.anybody());
    let status = client.login(LoginRequest::default()).await.unwrap_err();
    assert_eq!(said(&status), (Code::Unavailable, "UNAVAILABLE".to_owned()));
    world.stop().await;
}
