//! The first role of users who are invited.

use taskman_clock::Clock as _;
use taskman_events::iam::RoleAssigned;
use taskman_events::user::{User, UserCreated, UserOrigin};
use taskman_events::{Envelope, Origin};
use taskman_identity::Caller;
use taskman_ids::{CompanyId, EventId, UserId};
use taskman_rpc::origin;
use taskman_testkit::{caller, wait_until};

use crate::fixture::World;

fn created(company: CompanyId, user: UserId, origin: UserOrigin) -> UserCreated {
    UserCreated {
        user: User {
            id: user,
            company_id: company,
            email: format!("{user}@example.com"),
            username: "grace".into(),
            first_name: "Grace".into(),
            last_name: String::new(),
            department: String::new(),
            location: String::new(),
            locale: "en".into(),
            timezone: "UTC".into(),
            active: true,
            version: 1,
        },
        origin,
        link_request_id: None,
    }
}

/// Puts the arrival of a user in an envelope.
fn envelope(world: &World, by: &Caller, user: UserId, how: UserOrigin) -> Envelope {
    let now = world.service.clock().now();
    Envelope::new(EventId::new(), &origin(by), &created(by.company, user, how), now).unwrap()
}

/// Waits until the service has applied that many events.
async fn applied(world: &World, events: i64) {
    let count = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM inbox").fetch_one(world.service.pool()).await.unwrap()
    };
    wait_until("the events to be applied", || async { count().await == events }).await;
}

#[tokio::test]
async fn an_invited_user_becomes_a_developer_once() {
    let world = World::start().await;
    let user = UserId::new();
    let invited = envelope(&world, &world.admin, user, UserOrigin::Invited);
    // The same message twice, and the same fact in another one.
    world.service.publish(&invited).await;
    world.service.publish(&invited).await;
    world.service.publish(&envelope(&world, &world.admin, user, UserOrigin::Invited)).await;
    // Behind it somebody else, who signed up and gets nothing.
    let founder = UserId::new();
    world.service.publish(&envelope(&world, &world.admin, founder, UserOrigin::Signup)).await;
    applied(&world, 3).await;

    let (names, position) = world.names(world.admin.company, user).await;
    assert_eq!((names, position), (vec!["developer".to_owned()], 2));
    assert!(world.held(founder).await.is_empty());
    let [told] = world.events().await.try_into().unwrap();
    let assigned: RoleAssigned = told.data().unwrap();
    assert_eq!((assigned.user_id, assigned.role_name.as_str(), assigned.by), (user, "developer", None));
    assert_eq!((told.company_id, told.auth_service.as_deref()), (world.admin.company, Some("iam-admin")));
    assert!(told.causation_id.is_some());
    world.service.stop().await;
}

#[tokio::test]
async fn an_event_from_before_the_company_was_provisioned_comes_again() {
    let world = World::start_with(|config| config.rabbitmq.retry_delays_ms = vec![100; 100]).await;
    let (founder, user) = (caller(), UserId::new());
    world.service.publish(&envelope(&world, &founder, user, UserOrigin::Invited)).await;
    // An event that comes later is not held up by it.
    let other = UserId::new();
    world.service.publish(&envelope(&world, &world.admin, other, UserOrigin::Invited)).await;
    wait_until("the other event", || async { world.held(other).await.len() == 1 }).await;
    assert!(world.names(founder.company, user).await.0.is_empty());

    world.provision(&founder).await.unwrap();
    wait_until("the role", || async { world.names(founder.company, user).await.0 == ["developer"] }).await;
    world.service.stop().await;
}

#[tokio::test]
async fn an_event_of_another_company_gives_nothing_here() {
    let world = World::start().await;
    let (stranger, user) = (caller(), UserId::new());
    world.provision(&stranger).await.unwrap();
    // Whatever the event says inside, its envelope says whose it is.
    let event = created(world.admin.company, user, UserOrigin::Invited);
    let now = world.service.clock().now();
    let envelope = Envelope::new(EventId::new(), &Origin::system(stranger.company), &event, now).unwrap();
    world.service.publish(&envelope).await;
    applied(&world, 1).await;
    assert!(world.held(user).await.is_empty());
    world.service.stop().await;
}
