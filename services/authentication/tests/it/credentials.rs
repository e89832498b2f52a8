//! First passwords of those who sign up.

use chrono::TimeDelta;
use taskman_proto::authentication::CreateCredentialRequest;

use crate::world::{PASSWORD, Person, World, wrong_fields};

fn request(person: &Person, password: &str) -> CreateCredentialRequest {
    CreateCredentialRequest {
        user_id: person.user.to_string(),
        company_id: person.company.to_string(),
        password: password.to_owned(),
        personal_words: vec!["Analytical Engines".to_owned(), "ada@example.com".to_owned()],
    }
}

#[tokio::test]
async fn when_the_step_is_repeated_the_last_password_counts_until_one_is_used() {
    let world = World::start().await;
    let ada = world.person().await;
    world.fleet("user").create_credential(request(&ada, "another good one")).await.unwrap();
    assert!(world.try_login(&ada.email, PASSWORD).await.is_err());
    world.wait(TimeDelta::minutes(15));
    world.try_login(&ada.email, "another good one").await.unwrap();
    world.fleet("user").create_credential(request(&ada, PASSWORD)).await.unwrap();
    assert!(world.try_login(&ada.email, PASSWORD).await.is_err());
    assert_eq!(world.count("SELECT count(*) FROM credentials").await, 1);
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let world = World::start().await;
    let mut client = world.fleet("user");
    let status = client.create_credential(CreateCredentialRequest::default()).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["user_id", "company_id", "password"]);
    for weak in ["12345678", "Analytical1", "analytical-engines"] {
        let status = client.create_credential(request(&world.invited(), weak)).await.unwrap_err();
        assert_eq!(wrong_fields(&status), ["password"], "{weak}");
        assert!(!status.message().contains(weak));
    }
    world.stop().await;
}

#[tokio::test]
async fn the_password_of_a_sign_up_that_was_given_up_goes_after_a_day() {
    let world = World::configured(|config| config.service.purge_every_ms = 20).await;
    let (given_up, finished) = (world.person().await, world.person().await);
    world.users.forget(&given_up.user.to_string());
    world.wait(TimeDelta::hours(23));
    let asked = world.users.asked();
    world.login(&finished).await;
    assert_eq!(world.users.asked() - asked, 1, "nobody is asked about before the day is over");
    world.wait(TimeDelta::hours(2));
    let gone = || async { world.count("SELECT count(*) FROM credentials").await == 1 };
    taskman_testkit::wait_until("the credential to go", gone).await;
    assert!(world.try_login(&finished.email, PASSWORD).await.is_ok());
    world.stop().await;
}
