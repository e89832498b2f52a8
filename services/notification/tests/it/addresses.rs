//! Addresses that mail servers do not take.

use taskman_testkit::wait_until;

use crate::fixture::World;

#[tokio::test]
async fn an_address_that_the_server_cannot_write_to_is_given_up_and_harms_no_other_mail() {
    let world = World::start().await;
    let refused: Vec<_> = (0..6).map(|_| world.colleague()).collect();
    for user in &refused {
        world.others.change(*user, |subject| subject.email = format!("grüße.{user}@example.com"));
    }
    world.announce(&refused).await;
    for user in refused {
        let row = world.ended(user).await;
        assert_eq!((row.status.as_str(), row.error.as_str(), row.attempts), ("failed", "address_not_supported", 1));
    }
    // Six outages in a row would have closed the way to the mail server.
    let user = world.colleague();
    world.announce(&[user]).await;
    world.mail_to(user).await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_address_is_given_up() {
    let world = World::start().await;
    let user = world.colleague();
    world.others.change(user, |subject| subject.email = "nobody".into());
    world.announce(&[user]).await;
    let row = world.ended(user).await;
    assert_eq!((row.status.as_str(), row.error.as_str()), ("failed", "address_invalid"));
    world.stop().await;
}

#[tokio::test]
async fn a_mail_goes_to_the_address_of_the_moment() {
    let world = World::start().await;
    let user = world.colleague();
    world.others.change(user, |subject| subject.email = "new@example.com".into());
    world.announce(&[user]).await;
    wait_until("the mail", || async { world.mails.messages_to("new@example.com").len() == 1 }).await;
    assert_eq!(world.mails.messages().len(), 1);
    world.stop().await;
}
