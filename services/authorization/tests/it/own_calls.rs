//! Calls that reach the service without a gateway: it decides about them itself.

use taskman_clock::Clock as _;
use taskman_identity::{Claims, SigningKey};
use taskman_ids::{SessionId, UserId, new_uuid};
use taskman_proto::authorization::CheckRequest;
use taskman_proto::authorization::authorization_service_client::AuthorizationServiceClient;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::world::{TOKEN_SECRET, World, allow};

#[tokio::test]
async fn who_may_check_is_decided_in_process() {
    let world = World::start().await;
    let role = world.role("checker", &[allow(&["authz:check"], &["authz"])]);
    let (checker, other) = (world.user(&[role]), world.user(&[]));
    for (user, expected) in [(checker, Code::Ok), (other, Code::PermissionDenied)] {
        let question = CheckRequest {
            subject: format!("user:{other}"),
            action: "tasks:view".to_owned(),
            resource: "tasks".to_owned(),
            ..CheckRequest::default()
        };
        let mut request = Request::new(question);
        request.metadata_mut().insert("authorization", format!("Bearer {}", token(&world, user)).parse().unwrap());
        let answer = AuthorizationServiceClient::new(world.service.direct()).check(request).await;
        match answer {
            Ok(answer) => assert_eq!((expected, answer.get_ref().allowed), (Code::Ok, false)),
            Err(status) => {
                assert_eq!(status.code(), expected, "{status:?}");
                assert!(status.get_details_error_info().unwrap().metadata.contains_key("decision_id"));
            }
        }
    }
    world.service.stop().await;
}

/// A token of a login that has seen everything so far.
fn token(world: &World, user: UserId) -> String {
    let now = world.service.clock().now();
    let claims = Claims {
        issuer: "https://taskman.dev".to_owned(),
        audience: "taskman".to_owned(),
        user,
        company: world.company,
        session: SessionId::new(),
        email: format!("{user}@example.com"),
        roles: Vec::new(),
        iam_position: world.head().iam,
        token: new_uuid(),
        issued_at: now,
        not_before: now,
        expires_at: now + chrono::TimeDelta::minutes(15),
        authenticated_at: now,
    };
    let secret = TOKEN_SECRET.as_bytes().to_vec().into();
    SigningKey::hs256("hs256", &secret, now).unwrap().sign(&claims).unwrap()
}
